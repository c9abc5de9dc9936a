import { randomBytes } from 'node:crypto';
import { channelKey, findTaggedName, PROBE_MARK, slotOf, type ChannelKey } from '../common/channel-name.js';
import { deferred, type Deferred } from '../../util/promises.js';
import { PublishError } from '../common/errors.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { PublishCommand } from '../common/publish-options.js';
import { ConnectionLostError } from '../connection/resp-socket.js';
import { isTransient, RedisReplyError } from '../resp/reply.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import { SUBSCRIPTION_KINDS, type SubscriptionKind } from '../common/subscription-kind.js';
import type { Topology } from '../topology/topology.js';
import type { SlotMap } from '../topology/slot-map.js';

/** Enough to meet a master that owns a few hundred slots; for one with fewer, PING has to do. */
const TAGS_TRIED = 4_096;

/** How long a healthy node takes at most to bring a probe, in ms. */
const SURELY_BACK = 300;

/** The slot of the probe's channel has left the node: that says nothing of the node, which is to be probed anew. */
class SlotGoneError extends Error {
  constructor(node: NodeKey) {
    super(`the slot of the probe has left ${node}`);
  }
}

/** What probes need of the engine. */
export interface LivenessProbeDeps {
  readonly topology: Topology;
  readonly metrics: Metrics;
  readonly limits: { readonly probeInterval: number; readonly probeTimeout: number };
  /** Put before the name of the channel, for ACLs that allow names by their beginning. */
  readonly prefix: string;
  sharded(): boolean;
  publish(command: PublishCommand, channel: string): Promise<number>;
}

/**
 * - `quiet`: nothing is to be proved; messages come, or came a moment ago
 * - `waiting`: a probe was published, and nothing has come since
 * - `over`: the connection has ended
 */
type ProbeState = 'quiet' | 'waiting' | 'over';

/**
 * Proves that one subscriber connection still delivers.
 *
 * A node that hangs, or a network that swallows, ends no connection, and PING is answered by a node that has left the
 * cluster too. So a connection that has been silent for `probeInterval` gets a message of its own, published the way all
 * messages are, and has `probeTimeout` to bring it, or anything else. Where the ACL forbids the channel, PING has to do.
 */
export class LivenessProbe {
  #state: ProbeState = 'quiet';
  #since = 0;
  #channel: string | undefined;
  /** The view of the cluster in which the node owns too few slots to have a channel. */
  #nameless: SlotMap | undefined;
  #endedBy: ConnectionLostError | undefined;
  #pingOnly = false;
  #published = 0;
  #roundTrip: number | undefined;
  /** Those that wait, each with its channel. */
  readonly #proofs = new Map<Deferred<undefined>, string>();
  readonly #id = randomBytes(6).toString('base64url');
  readonly #clock: NodeJS.Timeout | undefined;

  constructor(
    private readonly node: NodeKey,
    private readonly connection: SubscriberConnection,
    private readonly surroundings: LivenessProbeDeps,
  ) {
    const { probeInterval, probeTimeout } = surroundings.limits;
    if (probeInterval > 0) {
      const tick = Math.max(10, Math.min(probeInterval, probeTimeout) / 8);
      this.#clock = setInterval(() => {
        this.#look();
      }, tick).unref();
    }
  }

  /** Whether something that is due has not come for longer than a healthy node takes. */
  get suspicious(): boolean {
    return this.#state === 'waiting' && performance.now() - this.#since > SURELY_BACK;
  }

  /** How long the last one took from its publication until it was back, in ms. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** Whether the message is a probe of ours. Its slot may have moved since, and the next one have another channel. */
  owns(channel: ChannelKey): boolean {
    return channel.startsWith(channelKey(this.#mark));
  }

  /** A message came that nobody is subscribed to: perhaps a probe that is back. */
  returned(channel: ChannelKey): void {
    if (this.owns(channel)) {
      this.#roundTrip = performance.now() - this.#published;
      for (const proof of this.#proofs.keys()) {
        proof.resolve(undefined);
      }
      this.#proofs.clear();
    }
  }

  /**
   * Publishes a probe now, whether or not the connection is silent. Resolves when it is back, to how long that took, in
   * ms; to undefined where the node owns too few slots to have a channel for it. It waits for as long as the connection
   * stands: the caller sets the limit.
   *
   * @throws what `publish` throws, and where the ACL forbids the channel; {@link passes} tells what to try again for
   */
  async ping(): Promise<number | undefined> {
    const channel = await this.#subscribed();
    if (channel === undefined) {
      return undefined;
    }
    if (this.#endedBy !== undefined) {
      throw this.#endedBy;
    }
    const proof = deferred<undefined>();
    this.#proofs.set(proof, channel);
    try {
      const published = performance.now();
      this.#publish(channel).then(
        (count) => {
          if (count === 0) {
            this.#leave(channel);
            proof.reject(new SlotGoneError(this.node));
          }
        },
        (error: unknown) => {
          proof.reject(error as Error);
        },
      );
      await proof.promise;
      return performance.now() - published;
    } finally {
      this.#proofs.delete(proof);
    }
  }

  /** Redis has ended the subscription of a probe's channel: its slot has gone elsewhere. */
  revoked(key: ChannelKey): void {
    if (this.#channel !== undefined && channelKey(this.#channel) === key) {
      this.#channel = undefined;
    }
    for (const [proof, channel] of this.#proofs) {
      if (channelKey(channel) === key) {
        proof.reject(new SlotGoneError(this.node));
      }
    }
  }

  close(endedBy: ConnectionLostError): void {
    this.#state = 'over';
    this.#endedBy = endedBy;
    clearInterval(this.#clock);
    for (const proof of this.#proofs.keys()) {
      proof.reject(endedBy);
    }
    this.#proofs.clear();
  }

  #look(): void {
    const { probeInterval, probeTimeout } = this.surroundings.limits;
    const now = performance.now();
    if (this.#state === 'waiting') {
      if (this.connection.lastReceived >= this.#since) {
        this.#state = 'quiet';
      } else if (now - this.#since > probeTimeout) {
        // An application that kept the event loop busy has not read it yet: timers run before sockets are read.
        setImmediate(() => {
          this.#judge();
        });
      }
    } else if (this.#state === 'quiet' && now - this.connection.lastReceived >= probeInterval) {
      this.#state = 'waiting';
      this.#since = now;
      void this.#send();
    }
  }

  #judge(): void {
    if (this.#state === 'waiting' && this.connection.lastReceived < this.#since) {
      this.surroundings.metrics.probesLost += 1;
      const silence = Math.round(performance.now() - this.connection.lastReceived);
      this.connection.end(`nothing came for ${String(silence)} ms, and a probe did not come back`);
    }
  }

  async #send(): Promise<void> {
    const { topology } = this.surroundings;
    this.surroundings.metrics.probes += 1;
    // A demoted node delivers what is published to it: whether it still is who we think it is, it must say itself.
    topology.refreshFrom(this.node).catch(() => undefined);
    if (!topology.masters.includes(this.node)) {
      // What stands here is being taken elsewhere, unless it is pinned; the node must answer, at least.
      this.connection.ping();
      topology.refreshSoon();
      return;
    }
    try {
      const channel = this.#pingOnly ? undefined : await this.#subscribed();
      if (channel === undefined) {
        this.connection.ping();
      } else if ((await this.#publish(channel)) === 0) {
        this.#leave(channel); // taken by a node that does not have us: the slot has gone elsewhere
      }
    } catch (error) {
      if (isRefusal(error)) {
        this.#pingOnly = true;
        this.connection.ping();
      }
      topology.refreshSoon();
    }
  }

  #publish(channel: string): Promise<number> {
    this.#published = performance.now();
    return this.surroundings.publish(this.surroundings.sharded() ? 'SPUBLISH' : 'PUBLISH', channel);
  }

  /** Subscribed on first use: a connection that is never silent needs none. */
  async #subscribed(): Promise<string | undefined> {
    const { topology } = this.surroundings;
    if (this.#channel !== undefined) {
      if (topology.ownerOf(slotOf(this.#channel)) === this.node) {
        return this.#channel;
      }
      this.#leave(this.#channel);
    }
    const channel = this.#name();
    if (channel === undefined) {
      return undefined;
    }
    try {
      await this.connection.subscribe(this.#kind, [channelKey(channel)], () => {
        this.#channel = channel;
      });
    } catch (error) {
      if (error instanceof RedisReplyError && error.kind === 'MOVED') {
        topology.applyMovedError(error, this.node);
      }
      throw error;
    }
    return channel;
  }

  /** Redis ends subscriptions to shard channels itself when their slot goes; classic ones would be kept for ever. */
  #leave(channel: string): void {
    if (this.#channel !== channel) {
      return;
    }
    this.#channel = undefined;
    if (this.#kind === SUBSCRIPTION_KINDS.channel) {
      this.connection.unsubscribe(this.#kind, [channelKey(channel)]).catch(() => undefined);
    }
  }

  get #kind(): SubscriptionKind {
    return this.surroundings.sharded() ? SUBSCRIPTION_KINDS.shard : SUBSCRIPTION_KINDS.channel;
  }

  /** In the names of all channels of this probe. */
  get #mark(): string {
    return `${this.surroundings.prefix}${PROBE_MARK}${this.#id}:`;
  }

  /** A name whose slot this node owns. Looked for once in each view of the cluster. */
  #name(): string | undefined {
    const { topology } = this.surroundings;
    const { view } = topology;
    if (view === this.#nameless) {
      return undefined;
    }
    const name = findTaggedName(
      (tag) => `${this.#mark}{${tag}}`,
      (tagged) => topology.ownerOf(slotOf(tagged)) === this.node,
      TAGS_TRIED,
    );
    if (name === undefined) {
      this.#nameless = view;
    }
    return name;
  }
}

/** Whether the ACL forbids it. */
export function isRefusal(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof RedisReplyError && cause.kind === 'NOPERM';
}

/** Whether what kept a probe from coming back says nothing of the node: a slot that moved, a connection that we closed. */
export function passes(error: unknown): boolean {
  const cause = causeOf(error);
  return (
    cause instanceof SlotGoneError ||
    (cause instanceof ConnectionLostError && cause.how === 'closed') ||
    (cause instanceof RedisReplyError && isTransient(cause))
  );
}

function causeOf(error: unknown): unknown {
  return error instanceof PublishError ? error.cause : error;
}
