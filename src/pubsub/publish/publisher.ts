import type { CommandConnection } from '../connection/command-connection.js';
import {
  ClosedError,
  PublishError,
  QueueFullError,
  ShardedUnsupportedError,
  type ClusterPubSubError,
} from '../common/errors.js';
import { deferred, type Deferred } from '../../util/promises.js';
import { OutgoingChannels } from './outgoing-channel.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { OfflineQueues } from './offline-queues.js';
import type { OverflowPolicy } from '../common/options.js';
import type { BusFence } from './bus-fence.js';
import type { ChannelName } from '../common/channel-name.js';
import type { Payload } from '../common/messages.js';
import {
  isRepeatable,
  publishFailure,
  PublishRequest,
  type Outlet,
  type PublishReplyListener,
} from './publish-request.js';
import type { PublishCommand, PublishObserver, PublishOptions } from '../common/publish-options.js';
import type { ConnectionLostError } from '../connection/resp-socket.js';
import { isTransient, RedisReplyError, type Reply } from '../resp/reply.js';
import { MigrationGate } from './migration-gate.js';
import { unstamped, type OutgoingPayload, type StampCodec } from '../ordering/sequence-stamp.js';
import type { Topology } from '../topology/topology.js';

/** How often a message is published again because of a count of 0, or one lower than before. */
const MAX_RECOUNTS = 3;

/**
 * How long after a change of the topology a message that reached no pattern subscriber is published again, times how often
 * that happened.
 */
const RECOUNT_DELAY_MS = 100;

/** For how long after a change of the topology pattern subscribers may be on their way to the new master. */
const TOPOLOGY_CHANGE_WINDOW_MS = 1_000;

/** How often one message follows `MOVED` at once: two nodes may disagree for a moment while a slot moves. */
const MAX_REDIRECTS = 16;

export interface PublisherLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly slotMigrationTimeout: number;
  readonly onOverflow: OverflowPolicy;
}

/**
 * Sends messages to the master that owns their channel's slot, and returns the exact count of receivers.
 *
 * Messages of one channel go out in the order of the calls. While a node is unreachable they wait for it
 * ({@link OfflineQueues}); after a slot has moved they wait for its subscribers ({@link MigrationGate}). A message that
 * was written but got no reply is sent again if it has a stamp, by which receivers recognize a duplicate; otherwise, or if
 * it cannot be sent in time, it fails as `unknown`. A message that never reached Redis fails as `not-delivered`.
 */
export class Publisher implements PublishReplyListener {
  readonly #channels = new OutgoingChannels();
  readonly #offline: OfflineQueues;
  readonly #gate: MigrationGate;
  readonly #retries = new Map<NodeJS.Timeout, PublishRequest>();
  readonly #outlets = new Map<CommandConnection, Outlet>();
  #drained: Deferred<undefined> | undefined;
  #closed = false;
  #serial = 0;
  #open = 0;

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    fence: BusFence,
    private readonly limits: PublisherLimits,
    /** `byDefault`: messages are numbered unless their options say otherwise. */
    private readonly stamps: { readonly codec: StampCodec; readonly byDefault: boolean },
    private readonly metrics: Metrics,
    /** Called for each message of the application that fails. */
    private readonly onFailure: (command: PublishCommand, channel: ChannelName, error: unknown) => void,
  ) {
    const listener = {
      dispatch: (request: PublishRequest): void => this.#dispatch(request),
      fail: (request: PublishRequest, error: ClusterPubSubError): void => this.#fail(request, error),
    };
    // Before the queues: both handle the same event, and what the queues dispatch in it may have to wait in the gate.
    this.#gate = new MigrationGate(topology, connections, fence, limits, metrics, listener);
    this.#offline = new OfflineQueues(topology, connections, limits, listener);
  }

  publish(
    command: PublishCommand,
    channel: ChannelName,
    data: OutgoingPayload,
    observer: PublishObserver,
    { verifyZero = false, via = 'owner', sequence = this.stamps.byDefault }: PublishOptions = {},
  ): void {
    this.topology.noteUse();
    this.#serial += 1;
    this.#open += 1;
    const outgoing = this.#channels.get(command, channel, via === 'patterns');
    this.#dispatch(new PublishRequest(this, outgoing, data, verifyZero, sequence, this.#serial, observer));
  }

  /** Number of messages whose caller has not been told the outcome. */
  get open(): number {
    return this.#open;
  }

  /** Resolves when no message is {@link open}; for a publisher that gets no more. */
  async drained(): Promise<void> {
    if (this.#open > 0) {
      this.#drained ??= deferred();
      await this.#drained.promise;
    }
  }

  /** Called by the request whose outcome is known. */
  settled(): void {
    this.#open -= 1;
    if (this.#open === 0) {
      this.#drained?.resolve(undefined);
    }
  }

  /** Number of messages that wait to be sent. */
  get waiting(): number {
    return this.#offline.length + this.#gate.length;
  }

  /** Number of messages that wait for any node, or for this one. */
  waitingForNodes(node?: NodeKey): number {
    return node === undefined ? this.#offline.length : this.#offline.waitingFor(node);
  }

  /** The masters that own the slots of the messages published lately. */
  publishedTo(): NodeKey[] {
    const owners = this.#channels.recentSlots().map((slot) => this.topology.ownerOf(slot));
    return [...new Set(owners)].filter((owner) => owner !== undefined);
  }

  /** Number of messages that wait for subscribers to follow a slot. */
  get waitingForSubscribers(): number {
    return this.#gate.length;
  }

  /** Fails the messages that still wait. Resolves when those in flight have got their replies. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#gate.close();
    this.#offline.close();
    for (const [timer, request] of this.#retries) {
      clearTimeout(timer);
      this.#fail(request, new ClosedError());
    }
    await this.drained();
    for (const { connection, onClose } of this.#outlets.values()) {
      connection.offClose(onClose);
    }
  }

  #dispatch(request: PublishRequest): void {
    if (this.#closed) {
      this.#fail(request, new ClosedError()); // others may still use the connection
    } else {
      this.#route(request);
    }
  }

  #route(request: PublishRequest): void {
    if (this.#gate.tryHold(request)) {
      return;
    }
    const node = this.#target(request);
    const connection = node === undefined ? undefined : this.connections.get(node);
    if (connection === undefined || this.#offline.has(node)) {
      this.#offline.add(node, request);
    } else {
      this.#send(connection, request);
    }
  }

  #target({ outgoingChannel: channel }: PublishRequest): NodeKey | undefined {
    return this.topology.ownerOf(channel.slot);
  }

  #send(connection: CommandConnection, request: PublishRequest): void {
    const { maxQueuedMessages } = this.limits;
    const outlet = this.#outlets.get(connection) ?? this.#newOutlet(connection);
    if (outlet.inFlight >= maxQueuedMessages && !request.waited) {
      this.#fail(request, new QueueFullError(connection.node, maxQueuedMessages));
      return;
    }
    const { outgoingChannel: channel } = request;
    const payload = this.#stamped(request);
    channel.inFlight += 1;
    channel.sentTo = connection.node;
    outlet.inFlight += 1;
    request.outlet = outlet;
    connection.send(channel.head, payload, request);
  }

  #newOutlet(connection: CommandConnection): Outlet {
    const onClose = (): void => {
      this.#outlets.delete(connection);
    };
    const outlet: Outlet = { connection, inFlight: 0, onClose };
    this.#outlets.set(connection, outlet);
    connection.onClose(onClose);
    return outlet;
  }

  #stamped(request: PublishRequest): Payload {
    const { data, sequenced } = request;
    if (!sequenced || !this.stamps.codec.supports(data)) {
      return unstamped(data);
    }
    if (request.stamp === undefined) {
      request.stamp = request.outgoingChannel.nextStamp();
    } else {
      this.metrics.retransmitted += 1;
    }
    return this.stamps.codec.encode(data, request.stamp);
  }

  /** Called by the request whose reply has arrived. */
  onReply(
    request: PublishRequest,
    error: RedisReplyError | ConnectionLostError | undefined,
    reply: Reply,
  ): void {
    const outlet = request.outlet as Outlet;
    const { node } = outlet.connection;
    outlet.inFlight -= 1;
    request.outgoingChannel.inFlight -= 1;
    if (error === undefined) {
      this.#accepted(node, request, reply as number);
    } else if (error instanceof RedisReplyError) {
      this.#refused(node, request, error);
    } else {
      this.#lost(node, request, error);
    }
  }

  #accepted(node: NodeKey, request: PublishRequest, count: number): void {
    const { outgoingChannel: channel } = request;
    channel.note(count);
    if (!channel.viaPatterns && count < channel.expected && request.recounts < MAX_RECOUNTS) {
      this.#gate.verifyLowCount(request, node, count);
    } else if (count === 0 && request.verifyZero && request.recounts < MAX_RECOUNTS) {
      this.#verifyZero(node, request);
    } else {
      request.resolve(count);
    }
  }

  /** Trusts a count of 0 only after the node has confirmed that it owns the slot. */
  #verifyZero(node: NodeKey, request: PublishRequest): void {
    request.recounts += 1;
    const again = (): void => this.#dispatch(request);
    const decide = (): void => {
      if (this.#target(request) !== node) {
        this.#dispatch(request);
      } else if (
        request.outgoingChannel.viaPatterns &&
        this.topology.changedWithin(TOPOLOGY_CHANGE_WINDOW_MS)
      ) {
        // Subscribers follow the slot to its new master as we do, and may be a few ms behind.
        const timer = setTimeout(() => {
          this.#retries.delete(timer);
          this.#dispatch(request);
        }, RECOUNT_DELAY_MS * request.recounts);
        this.#retries.set(timer, request);
      } else if (!this.#gate.holdUntilSubscribed(request)) {
        request.resolve(0);
      }
    };
    this.topology.refreshFrom(node).then(decide, () => this.topology.refresh().then(again, again));
  }

  #refused(node: NodeKey, request: PublishRequest, error: RedisReplyError): void {
    if (error.kind === 'MOVED' && request.redirects < MAX_REDIRECTS) {
      request.redirects += 1;
      this.topology.applyMovedError(error, node);
      this.#route(request); // also one that was in flight when we were closed
    } else if (isTransient(error)) {
      request.refusals += 1;
      request.refusal = error;
      this.topology.refreshSoon();
      this.#offline.add(this.#target(request), request);
    } else if (request.outgoingChannel.command === 'SPUBLISH' && /unknown command/i.test(error.message)) {
      this.#fail(request, new ShardedUnsupportedError({ cause: error }));
    } else {
      this.#fail(request, publishFailure(request, node, error));
    }
  }

  /**
   * Redis may have published the message or not. Sent again with the same stamp, it is delivered once in any case; but not
   * to a node that does not answer, or with something else.
   */
  #lost(node: NodeKey, request: PublishRequest, error: ConnectionLostError): void {
    this.topology.refreshSoon();
    request.outcomeUnknown = true;
    const { disconnectReason: reason } = error;
    if (isRepeatable(request) && reason !== 'unresponsive' && reason !== 'invalid-reply') {
      this.#dispatch(request);
    } else {
      this.#fail(request, publishFailure(request, node, error));
    }
  }

  #fail(request: PublishRequest, error: ClusterPubSubError): void {
    const { outgoingChannel: channel, stamp, outcomeUnknown } = request;
    if (stamp !== undefined && !outcomeUnknown) {
      // Its number will never be sent: receivers must not report it as missing, because the caller knows.
      channel.restart(this.#channels.newStream());
    }
    // If a copy may have been published, the caller must know that rather than why the message failed in the end.
    const reported =
      outcomeUnknown && !(error instanceof PublishError) ? publishFailure(request, undefined, error) : error;
    this.onFailure(channel.command, channel.channel, reported);
    request.reject(reported);
  }
}
