import { type Transitions, transition } from '../../util/transitions.js';
import { deferred, type Deferred } from '../../util/promises.js';
import { channelKey, type ChannelKey } from '../common/channel-name.js';
import { PublishError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { ConnectionLostError } from '../connection/resp-socket.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import { isTransient, RedisReplyError } from '../resp/reply.js';
import { ProbeChannel, ProbeSlotMovedError, type ProbeChannelDeps } from './probe-channel.js';

/** A healthy node delivers a probe within this time, in ms. */
const USUAL_DELIVERY_MS = 300;

const MIN_CHECK_DELAY_MS = 10;

/** A probe may be early by up to this part of `probeInterval`, by chance, so that one engine is the first of all. */
const MAX_HEAD_START = 0.25;

export interface LivenessProbeDeps extends ProbeChannelDeps {
  /** Counts in the metrics of those whose subscriptions the connection carries. */
  count(what: 'probes' | 'probesLost'): void;
  readonly limits: { readonly probeInterval: number; readonly probeTimeout: number };
}

/**
 * - `idle`: something was received within `probeInterval`
 * - `waiting`: a probe was published, and nothing has been received since
 * - `closed`: the connection has ended
 */
type ProbeState = 'idle' | 'waiting' | 'closed';

export const PROBE_TRANSITIONS: Transitions<ProbeState> = {
  idle: ['waiting', 'closed'],
  waiting: ['idle', 'closed'],
  closed: [],
};

/**
 * Checks that one subscriber connection still delivers messages.
 *
 * A node that hangs, or a network that drops packets, ends no connection, and a node that has left the cluster still
 * answers PING. So a connection that has received nothing for `probeInterval` gets a message of its own, published like
 * every other message, and must receive it or anything else within `probeTimeout`. Where the ACL forbids the probe channel,
 * PING is sent instead.
 *
 * The probe channel is shared: the first engine to find its connection silent publishes for all, so that the number of
 * probes does not grow with the number of engines.
 */
export class LivenessProbe {
  #state: ProbeState = 'idle';
  #waitingSince = 0;
  #closedBy: ConnectionLostError | undefined;
  #pingOnly = false;
  #publishedAt = 0;
  /** The probe that was published last has not come back. */
  #isUnderWay = false;
  #roundTrip: number | undefined;
  /** Of the next probe, in ms. */
  #headStart = 0;
  #channel: ProbeChannel;
  /** Private, so that the pings of one engine do not come to all. */
  readonly #pingChannel: ProbeChannel;
  /** Calls of {@link ping} that wait, each with the name of its channel. */
  readonly #pings = new Map<Deferred<undefined>, string>();
  #watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly node: NodeKey,
    private readonly connection: SubscriberConnection,
    private readonly deps: LivenessProbeDeps,
  ) {
    this.#channel = new ProbeChannel(node, connection, deps, deps.restricted ? 'of our prefix' : 'of all');
    this.#pingChannel = new ProbeChannel(node, connection, deps, 'private');
    this.#checkAt(performance.now() + deps.limits.probeInterval);
  }

  /** Whether a probe is overdue, though not yet lost. */
  get suspicious(): boolean {
    return this.#isOverdue && performance.now() - this.#waitingSince > USUAL_DELIVERY_MS;
  }

  /** Nothing was received since the probe was published. */
  get #isOverdue(): boolean {
    return this.#state === 'waiting' && this.connection.lastReceived < this.#waitingSince;
  }

  /** The time from the publication of the last delivered probe to its delivery, in ms. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** See {@link ProbeChannel.watchedSlot}. */
  get watchedSlot(): number | undefined {
    return this.#channel.watchedSlot;
  }

  /** Whether the channel is a probe channel of this connection. */
  owns(channel: ChannelKey): boolean {
    return this.#channel.owns(channel) || this.#pingChannel.owns(channel);
  }

  /** Takes a message without a subscription: it may be a probe. */
  onMessage(channel: ChannelKey): void {
    if (this.#pingChannel.owns(channel)) {
      for (const ping of this.#pings.keys()) {
        ping.resolve(undefined);
      }
      this.#pings.clear();
    } else if (!this.#channel.owns(channel)) {
      return;
    }
    if (this.#isUnderWay) {
      this.#isUnderWay = false;
      this.#roundTrip = performance.now() - this.#publishedAt;
    }
  }

  /**
   * Publishes a probe now. Resolves on its delivery, to the time that took in ms; to undefined where the node owns too few
   * slots for a probe channel. There is no timeout but the end of the connection: the caller sets one.
   *
   * @throws what `publish` throws, and the refusal of the channel by the ACL; see {@link isUnrelatedToNode}
   */
  async ping(): Promise<number | undefined> {
    const channel = await this.#pingChannel.subscribe();
    if (channel === undefined) {
      return undefined;
    }
    if (this.#closedBy !== undefined) {
      throw this.#closedBy;
    }
    const ping = deferred<undefined>();
    this.#pings.set(ping, channel);
    try {
      const publishedAt = performance.now();
      this.#publish(this.#pingChannel, channel).catch((error: unknown) => ping.reject(error as Error));
      await ping.promise;
      return performance.now() - publishedAt;
    } finally {
      this.#pings.delete(ping);
    }
  }

  /**
   * Redis has ended the subscription to a probe channel, because its slot has left the node; with it may have gone what
   * gets no sign of its own.
   */
  onRevoked(channel: ChannelKey): void {
    this.#channel.onRevoked(channel);
    this.#pingChannel.onRevoked(channel);
    void this.deps.topology.checkFrom(this.node);
    for (const [ping, name] of this.#pings) {
      if (channelKey(name) === channel) {
        ping.reject(new ProbeSlotMovedError(this.node));
      }
    }
  }

  close(closedBy: ConnectionLostError): void {
    this.#move('closed');
    this.#closedBy = closedBy;
    clearTimeout(this.#watchdog);
    for (const ping of this.#pings.keys()) {
      ping.reject(closedBy);
    }
    this.#pings.clear();
  }

  #move(next: ProbeState): void {
    this.#state = transition(`the liveness probe of ${this.node}`, PROBE_TRANSITIONS, this.#state, next);
  }

  /** One timer for the next time that something can be due, instead of a fast one: there are many connections. */
  #checkAt(time: number): void {
    if (this.deps.limits.probeInterval > 0 && this.#state !== 'closed') {
      const delay = Math.max(MIN_CHECK_DELAY_MS, time - performance.now());
      this.#watchdog = setTimeout(() => this.#check(), delay).unref();
    }
  }

  #check(): void {
    const { probeInterval, probeTimeout } = this.deps.limits;
    const now = performance.now();
    if (this.#isOverdue) {
      const lostAt = this.#waitingSince + probeTimeout;
      if (now >= lostAt) {
        // Timers run before sockets are read: an application that blocked the event loop may not have read the probe yet.
        setImmediate(() => this.#endUnlessReceived());
      }
      this.#checkAt(lostAt);
      return;
    }
    if (this.#state === 'waiting') {
      this.#move('idle');
    }
    const dueAt = this.connection.lastReceived + probeInterval - this.#headStart;
    if (now < dueAt) {
      this.#checkAt(dueAt);
      return;
    }
    this.#headStart = Math.random() * MAX_HEAD_START * probeInterval;
    this.#move('waiting');
    this.#waitingSince = now;
    void this.#send();
    this.#checkAt(now + Math.min(probeInterval, probeTimeout));
  }

  #endUnlessReceived(): void {
    if (this.#isOverdue) {
      this.deps.count('probesLost');
      const silentFor = Math.round(performance.now() - this.connection.lastReceived);
      this.connection.end(`nothing received for ${String(silentFor)} ms, not even a probe`);
    }
  }

  async #send(): Promise<void> {
    const { topology } = this.deps;
    this.deps.count('probes');
    if (!topology.masters.includes(this.node)) {
      // Its subscriptions are being moved, unless they are pinned; the node must at least answer.
      this.connection.ping();
      void topology.checkFrom(this.node);
      return;
    }
    try {
      const watchedBefore = this.watchedSlot;
      const channel = this.#pingOnly ? undefined : await this.#channel.subscribe();
      if (this.watchedSlot === undefined || this.watchedSlot !== watchedBefore) {
        // A demoted node still delivers what is published to it, and accepts subscriptions to shard channels. It ends those
        // it had when it was demoted; without one, it has to be asked.
        void topology.checkFrom(this.node);
      }
      if (channel === undefined) {
        this.connection.ping();
      } else {
        await this.#publish(this.#channel, channel);
      }
    } catch (error) {
      if (isRefusal(error)) {
        this.#refused();
      }
      topology.refreshSoon();
    }
  }

  /** The ACL may allow channels with our prefix only. */
  #refused(): void {
    this.connection.ping();
    if (this.#channel.use === 'of all' && this.deps.prefix() !== '') {
      this.#channel = new ProbeChannel(this.node, this.connection, this.deps, 'of our prefix');
    } else {
      this.#pingOnly = true;
    }
  }

  #publish(to: ProbeChannel, name: string): Promise<void> {
    this.#publishedAt = performance.now();
    this.#isUnderWay = true;
    return to.publish(name);
  }
}

/** Whether the ACL forbids the probe. */
export function isRefusal(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof RedisReplyError && cause.kind === 'NOPERM';
}

/** Whether a probe failed for a reason other than the node: a slot that moved, or a connection that we closed. */
export function isUnrelatedToNode(error: unknown): boolean {
  const cause = causeOf(error);
  return (
    cause instanceof ProbeSlotMovedError ||
    (cause instanceof ConnectionLostError && cause.disconnectReason === 'closed') ||
    (cause instanceof RedisReplyError && isTransient(cause))
  );
}

function causeOf(error: unknown): unknown {
  return error instanceof PublishError ? error.cause : error;
}
