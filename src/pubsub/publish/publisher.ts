import type { CommandConnection } from '../connection/command-connection.js';
import {
  ClosedError,
  PublishError,
  QueueFullError,
  ShardedUnsupportedError,
  type ClusterPubSubError,
} from '../common/errors.js';
import { OutgoingChannels } from './outgoing-channels.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { OfflineQueues } from './offline-queues.js';
import type { OverflowPolicy } from '../common/options.js';
import type { ChannelName } from '../common/channel-name.js';
import type { Payload } from '../common/messages.js';
import {
  isRepeatable,
  publishFailure,
  PublishRequest,
  type PublishReplyListener,
} from './publish-request.js';
import type { PublishCommand, PublishObserver, PublishOptions } from '../common/publish-options.js';
import type { ConnectionLostError } from '../connection/resp-socket.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import { MigrationGate } from './migration-gate.js';
import { unstamped, type OutgoingPayload, type StampCodec } from '../ordering/sequence-stamp.js';
import type { Topology } from '../topology/topology.js';

/** How often a count of 0, or one lower than before, is asked again. */
const MAX_RECOUNTS = 3;

/** How long after a change of the topology a count of 0 is asked again, times how often it was 0, in ms. */
const SUBSCRIBERS_FOLLOW = 100;

/** How often one message follows `MOVED`; two nodes may disagree for a moment while a slot moves. */
const MAX_REDIRECTS = 16;

/** Errors of Redis that pass: the command was not run, and may work in a moment. */
const PASSING = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN']);

export interface PublisherLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly slotMigrationTimeout: number;
  readonly onOverflow: OverflowPolicy;
}

/**
 * Hands messages to the master that owns their channel's slot, and gives the exact count of receivers back.
 *
 * Messages of one channel go out in the order of the calls. While a node cannot be reached they wait for it
 * ({@link OfflineQueues}); when a slot has moved they wait for its subscribers ({@link MigrationGate}). A message that was written
 * and not answered is sent again when it has a stamp, by which receivers know a second copy; else, or when it cannot be
 * sent in time, it fails as `unknown`. One that never reached Redis fails as `not-delivered`.
 */
export class Publisher implements PublishReplyListener {
  readonly #lanes = new OutgoingChannels();
  readonly #queues: OfflineQueues;
  readonly #settling: MigrationGate;
  readonly #retries = new Map<NodeJS.Timeout, PublishRequest>();
  #serial = 0;

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly limits: PublisherLimits,
    /** How stamps are written, where messages are numbered. */
    private readonly stamps: { readonly codec: StampCodec; readonly byDefault: boolean },
    private readonly metrics: Metrics,
    /** Told of each message of the application that is given up. */
    private readonly onFailure: (command: PublishCommand, channel: ChannelName, error: unknown) => void,
  ) {
    const owner = {
      dispatch: (publication: PublishRequest): void => {
        this.#dispatch(publication);
      },
      fail: (publication: PublishRequest, error: ClusterPubSubError): void => {
        this.#fail(publication, error);
      },
    };
    // Before the queues: they dispatch in the same event, and what they dispatch may have to wait for its subscribers.
    this.#settling = new MigrationGate(topology, connections, limits, metrics, owner);
    this.#queues = new OfflineQueues(topology, connections, limits, owner);
  }

  publish(
    command: PublishCommand,
    channel: ChannelName,
    data: OutgoingPayload,
    observer: PublishObserver,
    { verifyZero = false, via = 'owner', sequence = this.stamps.byDefault }: PublishOptions = {},
    isProbe = false,
  ): void {
    this.#serial += 1;
    const lane = this.#lanes.get(command, channel, via === 'patterns');
    this.#dispatch(
      new PublishRequest(this, lane, data, verifyZero, sequence, this.#serial, observer, isProbe),
    );
  }

  /** How many messages wait to be sent. */
  get waiting(): number {
    return this.#queues.length + this.#settling.length;
  }

  /** How many wait for any node, or for this one. */
  waitingForNodes(node?: NodeKey): number {
    return node === undefined ? this.#queues.length : this.#queues.waitingFor(node);
  }

  /** How many wait for their subscribers to follow a slot. */
  get waitingForSubscribers(): number {
    return this.#settling.length;
  }

  /** Fails what still waits. */
  close(): void {
    this.#settling.close();
    this.#queues.close();
    for (const [timer, publication] of this.#retries) {
      clearTimeout(timer);
      this.#fail(publication, new ClosedError());
    }
  }

  #dispatch(publication: PublishRequest): void {
    if (this.#settling.tryHold(publication)) {
      return;
    }
    const node = this.#target(publication);
    const connection = node === undefined ? undefined : this.connections.get(node);
    if (connection === undefined || this.#queues.has(node)) {
      this.#queues.add(node, publication);
    } else {
      this.#send(connection, publication);
    }
  }

  #target({ outgoingChannel: lane }: PublishRequest): NodeKey | undefined {
    return this.topology.ownerOf(lane.slot);
  }

  #send(connection: CommandConnection, publication: PublishRequest): void {
    const { maxQueuedMessages } = this.limits;
    if (connection.inFlight >= maxQueuedMessages && !publication.waited) {
      this.#fail(publication, new QueueFullError(connection.node, maxQueuedMessages));
      return;
    }
    const { outgoingChannel: lane } = publication;
    const payload = this.#stamped(publication);
    lane.inFlight += 1;
    publication.connection = connection;
    connection.send(lane.head, payload, publication);
  }

  #stamped(publication: PublishRequest): Payload {
    const { data, sequenced } = publication;
    if (!sequenced || !this.stamps.codec.supports(data)) {
      return unstamped(data);
    }
    if (publication.stamp === undefined) {
      publication.stamp = publication.outgoingChannel.nextStamp();
    } else {
      this.metrics.retransmitted += 1;
    }
    return this.stamps.codec.encode(data, publication.stamp);
  }

  /** Called by the publication that a connection has an answer for. */
  answered(
    publication: PublishRequest,
    error: RedisReplyError | ConnectionLostError | undefined,
    reply: Reply,
  ): void {
    const { node } = publication.connection as CommandConnection;
    publication.outgoingChannel.inFlight -= 1;
    if (error === undefined) {
      this.#counted(node, publication, reply as number);
    } else if (error instanceof RedisReplyError) {
      this.#refused(node, publication, error);
    } else {
      this.#lost(node, publication, error);
    }
  }

  #counted(node: NodeKey, publication: PublishRequest, count: number): void {
    const { outgoingChannel: lane } = publication;
    lane.note(count);
    if (!lane.viaPatterns && count < lane.expected && publication.recounts < MAX_RECOUNTS) {
      this.#settling.verifyLowCount(publication, node, count);
    } else if (count === 0 && publication.verifyZero && publication.recounts < MAX_RECOUNTS) {
      this.#doubtZero(node, publication);
    } else {
      publication.resolve(count);
    }
  }

  /** Without the node's word that it owns the slot, 0 is no count. */
  #doubtZero(node: NodeKey, publication: PublishRequest): void {
    publication.recounts += 1;
    const again = (): void => this.#dispatch(publication);
    const settle = (): void => {
      if (this.#target(publication) !== node) {
        this.#dispatch(publication);
      } else if (publication.outgoingChannel.viaPatterns && this.topology.changedWithin(1_000)) {
        // Subscribers follow a slot to its new master as we do, and may be a few ms behind.
        const timer = setTimeout(() => {
          this.#retries.delete(timer);
          this.#dispatch(publication);
        }, SUBSCRIBERS_FOLLOW * publication.recounts);
        this.#retries.set(timer, publication);
      } else if (!this.#settling.holdUntilSubscribed(publication)) {
        publication.resolve(0);
      }
    };
    this.topology.refreshFrom(node).then(settle, () => this.topology.refresh().then(again, again));
  }

  #refused(node: NodeKey, publication: PublishRequest, error: RedisReplyError): void {
    if (error.kind === 'MOVED' && publication.redirects < MAX_REDIRECTS) {
      publication.redirects += 1;
      this.topology.applyMovedError(error, node);
      this.#dispatch(publication);
    } else if (PASSING.has(error.kind)) {
      publication.refusals += 1;
      this.topology.refreshSoon();
      this.#queues.add(this.#target(publication), publication);
    } else if (publication.outgoingChannel.command === 'SPUBLISH' && /unknown command/i.test(error.message)) {
      this.#fail(publication, new ShardedUnsupportedError({ cause: error }));
    } else {
      this.#fail(publication, publishFailure(publication, node, error));
    }
  }

  /** Whether Redis took it is not known. Sent again under its stamp, it arrives once all the same. */
  #lost(node: NodeKey, publication: PublishRequest, error: ConnectionLostError): void {
    this.topology.refreshSoon();
    publication.outcomeUnknown = true;
    if (isRepeatable(publication) && error.how !== 'silent') {
      this.#dispatch(publication);
    } else {
      this.#fail(publication, publishFailure(publication, node, error));
    }
  }

  #fail(publication: PublishRequest, error: ClusterPubSubError): void {
    const { outgoingChannel: lane, stamp, outcomeUnknown: doubtful } = publication;
    if (stamp !== undefined && !doubtful) {
      // Its number will never come: receivers must not take that for a loss, for the caller knows.
      lane.restart(this.#lanes.newStream());
    }
    // Whatever it is given up for: where a copy may have been taken, that is what the caller must know.
    const told =
      doubtful && !(error instanceof PublishError) ? publishFailure(publication, undefined, error) : error;
    if (!publication.isProbe) {
      this.onFailure(lane.command, lane.channel, told);
    }
    publication.reject(told);
  }
}
