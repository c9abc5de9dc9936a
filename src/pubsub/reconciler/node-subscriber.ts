import { transition, type Transitions } from '../../util/transitions.js';
import { backoffDelay, pause } from '../../util/backoff.js';
import type { ChannelKey } from '../common/channel-name.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';
import { LivenessProbe, type LivenessProbeDeps } from '../liveness/liveness-probe.js';
import type { ConnectionLostError, DisconnectReason } from '../connection/resp-socket.js';
import { RedisReplyError } from '../resp/reply.js';
import { SubscriberConnection } from '../connection/subscriber-connection.js';
import { batchesOf, NodeBookkeeping } from './node-bookkeeping.js';
import type { Subscription } from '../subscription/subscription.js';
import { SUBSCRIPTION_KINDS, type SubscriptionKind } from '../common/subscription-kind.js';

/** Where the messages of all nodes go. */
export interface MessageSink {
  /** Returns false when nobody is subscribed to the message; `match` is the name it was subscribed under. */
  receive(node: NodeKey, kind: SubscriptionKind, match: ChannelKey, channel: Buffer, data: Buffer): boolean;
}

export interface NodeSubscriberListener {
  /** The node has confirmed it. */
  confirmed(node: NodeKey, subscription: Subscription): void;
  /** The node has refused it; it is not retried unless it is added again. */
  refused(node: NodeKey, subscription: Subscription, error: RedisReplyError): void;
  /** The node keeps sending messages nobody wants, and counts us among the subscribers. */
  unsubscribeRefused(node: NodeKey, subscriptions: readonly Subscription[], error: RedisReplyError): void;
  /** The node has ended it; what it sent until `silence` ms ago has been received. */
  revoked(node: NodeKey, subscription: Subscription, silence: number): void;
  /** The connection ended, and with it these subscriptions; `silence` as for `revoked`. */
  lost(node: NodeKey, subscriptions: readonly Subscription[], how: DisconnectReason, silence: number): void;
  unreachable(node: NodeKey, error: unknown): void;
  /** Nothing is left to do. */
  idle(node: NodeKey): void;
}

/**
 * - `idle`: nothing to do, perhaps without a connection
 * - `connecting`: a connection is being opened
 * - `syncing`: commands were sent, and confirmations are awaited
 * - `backoff`: the node could not be reached; a retry is scheduled
 * - `closed`: closed for good
 */
export type NodeSubscriberState = 'idle' | 'connecting' | 'syncing' | 'backoff' | 'closed';

export const NODE_SUBSCRIBER_TRANSITIONS: Transitions<NodeSubscriberState> = {
  idle: ['connecting', 'syncing', 'closed'],
  connecting: ['syncing', 'backoff', 'idle', 'closed'],
  syncing: ['idle', 'connecting', 'syncing', 'backoff', 'closed'],
  backoff: ['connecting', 'idle', 'closed'],
  closed: [],
};

/** Longest pause between two attempts to reach a node, in ms: each attempt also refreshes the topology. */
const MAX_BACKOFF_MS = 250;

/**
 * The subscriptions of one node: the desired ones and the confirmed ones.
 *
 * `add` and `drop` change the desired state; a loop then closes the difference: it opens the connection, sends the
 * fewest commands (grouped by kind, shard channels by slot), and awaits every confirmation. It subscribes before it
 * unsubscribes, so that a moved subscription is never without a node.
 */
export class NodeSubscriber {
  #state: NodeSubscriberState = 'idle';
  private connection: SubscriberConnection | undefined;
  private readonly books = new NodeBookkeeping();
  #probe: LivenessProbe | undefined;
  readonly #stop = new AbortController();
  #running = false;

  constructor(
    readonly node: NodeKey,
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly probes: LivenessProbeDeps,
    private readonly sink: MessageSink,
    private readonly listener: NodeSubscriberListener,
  ) {}

  get state(): NodeSubscriberState {
    return this.#state;
  }

  /** Whether a probe of the connection is overdue. */
  get suspicious(): boolean {
    return this.#probe?.suspicious ?? false;
  }

  get connected(): boolean {
    return this.connection !== undefined;
  }

  /** How many subscriptions are active here. */
  get active(): number {
    return this.books.size;
  }

  /** Number of wanted subscriptions that belong to this node and are active here. */
  get activeCount(): number {
    return this.books.countActiveOn(this.node);
  }

  /** The probe of the connection; undefined without one. */
  get probe(): LivenessProbe | undefined {
    return this.connection === undefined ? undefined : this.#probe;
  }

  /** Like {@link LivenessProbe.ping}; undefined without a connection. */
  ping(): Promise<number | undefined> | undefined {
    return this.connection === undefined ? undefined : this.#probe?.ping();
  }

  /** Whether nothing has been received from the node for `ms`. */
  isSilent(ms: number): boolean {
    return this.connection === undefined || performance.now() - this.connection.lastReceived > ms;
  }

  /** No subscription is active here or pending. */
  get empty(): boolean {
    return this.books.size === 0 && !this.books.hasWork && !this.#running;
  }

  /** Carries the subscription, and is not about to drop it. */
  has(subscription: Subscription): boolean {
    return this.books.has(subscription);
  }

  /** Carries the subscription, or has something to do for it. */
  knows(subscription: Subscription): boolean {
    return this.books.knows(subscription);
  }

  add(subscription: Subscription): void {
    this.books.settleDrop(subscription); // it belongs here again
    if (this.books.isConfirmed(subscription)) {
      this.listener.confirmed(this.node, subscription);
    } else if (!this.books.adding.has(subscription)) {
      this.books.toAdd.add(subscription);
      this.#run();
    }
  }

  /** Resolves when the node no longer carries it. */
  drop(subscription: Subscription): Promise<void> {
    this.books.toAdd.delete(subscription);
    const isAsked = this.#state === 'syncing' && this.connection !== undefined;
    if (!isAsked && !this.books.isConfirmed(subscription)) {
      return Promise.resolve();
    }
    const dropped = this.books.drop(subscription);
    this.#run();
    return dropped;
  }

  close(): void {
    if (this.#state === 'closed') {
      return;
    }
    this.#move('closed');
    this.#stop.abort();
    this.connection?.close();
    this.books.settleDrops();
  }

  /** Ends the connection of an unresponsive node; its subscriptions are reported as lost. */
  giveUpConnection(reason: string): void {
    this.connection?.end(reason);
  }

  #move(next: NodeSubscriberState): void {
    this.#state = transition('a node subscriber', NODE_SUBSCRIBER_TRANSITIONS, this.#state, next);
  }

  #run(): void {
    if (this.#running || this.#state === 'closed') {
      return;
    }
    this.#running = true;
    // Starting in a later microtask sends everything that one call adds together.
    void Promise.resolve()
      .then(() => this.#loop())
      .finally(() => {
        this.#running = false;
        if (this.books.hasWork) {
          this.#run();
        } else if (this.#state !== 'closed') {
          this.listener.idle(this.node);
        }
      });
  }

  async #loop(): Promise<void> {
    for (let attempt = 0; this.#hasWork();) {
      const connection = this.connection ?? (await this.#connect());
      if (connection === undefined) {
        attempt += 1;
        await pause(backoffDelay(attempt, 25, MAX_BACKOFF_MS), this.#stop.signal);
        continue;
      }
      if (this.#stop.signal.aborted) {
        break; // closed in the microtask between the two
      }
      this.#move('syncing');
      await this.#sync(connection);
      if (this.connection === connection) {
        attempt = 0;
      } else if (this.#hasWork()) {
        // The node accepts the connection and then drops it: back off before retrying.
        attempt += 1;
        this.#move('backoff');
        await pause(backoffDelay(attempt, 5, MAX_BACKOFF_MS), this.#stop.signal);
      }
    }
    if (this.#state !== 'closed' && this.#state !== 'idle') {
      this.#move('idle');
    }
  }

  #hasWork(): boolean {
    return this.#state !== 'closed' && this.books.hasWork;
  }

  async #connect(): Promise<SubscriberConnection | undefined> {
    this.#move('connecting');
    try {
      const opened = await this.factory.open(parseNodeKey(this.node));
      if (this.#stop.signal.aborted) {
        opened.close();
        return undefined;
      }
      const connection = new SubscriberConnection(this.node, opened, this.commandTimeout, {
        message: (kind, match, channel, data) => {
          if (!this.sink.receive(this.node, kind, match, channel, data)) {
            this.#probe?.onMessage(match);
          }
        },
        revoked: (kind, channel) => this.#revoked(kind, channel),
        handled: (ms) => {
          const { metrics } = this.probes;
          metrics.maxDispatchTime = Math.max(metrics.maxDispatchTime, ms);
        },
        closed: (error) => this.#disconnected(error, performance.now() - connection.completeUntil),
      });
      this.connection = connection;
      this.#probe = new LivenessProbe(this.node, connection, this.probes);
      return connection;
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#move('backoff');
        this.listener.unreachable(this.node, error);
      }
      return undefined;
    }
  }

  async #sync(connection: SubscriberConnection): Promise<void> {
    const adding = [...this.books.toAdd];
    this.books.toAdd.clear();
    await Promise.all(batchesOf(adding).map((batch) => this.#subscribe(connection, batch)));
    await Promise.all(batchesOf(this.books.toDrop).map((batch) => this.#unsubscribe(connection, batch)));
  }

  async #subscribe(connection: SubscriberConnection, batch: readonly Subscription[]): Promise<void> {
    const byKey = new Map(batch.map((subscription) => [subscription.key, subscription]));
    for (const subscription of batch) {
      this.books.adding.add(subscription);
    }
    try {
      await connection.subscribe(kindOf(batch), [...byKey.keys()], (key) => {
        const subscription = byKey.get(key) as Subscription;
        this.books.confirm(subscription);
        this.listener.confirmed(this.node, subscription);
      });
    } catch (error) {
      for (const subscription of batch) {
        this.books.adding.delete(subscription);
      }
      await this.#notSubscribed(connection, batch, error);
    }
  }

  async #notSubscribed(
    connection: SubscriberConnection,
    batch: readonly Subscription[],
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof RedisReplyError)) {
      // The connection ended: whatever still belongs here is sent again on the next one.
      for (const subscription of batch) {
        if (subscription.state.assigned === this.node) {
          this.books.toAdd.add(subscription);
        }
      }
    } else if (batch.length > 1) {
      // One refused name fails the whole command, and Redis does not say which.
      await Promise.all(batch.map((one) => this.#subscribe(connection, [one])));
    } else {
      this.listener.refused(this.node, batch[0] as Subscription, error);
    }
  }

  async #unsubscribe(connection: SubscriberConnection, batch: readonly Subscription[]): Promise<void> {
    const active = batch.filter((one) => this.books.isConfirmed(one));
    for (const { kind, key } of active) {
      this.books.forget(kind.name, key);
    }
    try {
      if (active.length > 0) {
        await connection.unsubscribe(
          kindOf(active),
          active.map(({ key }) => key),
        );
      }
    } catch (error) {
      // After MOVED the slot has left, and the subscription with it, as after a lost connection.
      if (error instanceof RedisReplyError && error.kind !== 'MOVED') {
        this.listener.unsubscribeRefused(this.node, active, error);
      }
    }
    for (const subscription of batch) {
      this.books.settleDrop(subscription);
    }
  }

  #revoked(kind: SubscriptionKind, channel: ChannelKey): void {
    if (this.#probe?.owns(channel)) {
      this.#probe.onRevoked(channel);
      return;
    }
    const subscription = this.books.forget(kind.name, channel);
    if (subscription !== undefined) {
      const silence = performance.now() - (this.connection?.completeUntil ?? performance.now());
      this.listener.revoked(this.node, subscription, silence);
    }
  }

  #disconnected(error: ConnectionLostError, silence: number): void {
    this.connection = undefined;
    this.#probe?.close(error);
    const lost = this.books.confirmed;
    this.books.clear();
    if (this.#state !== 'closed') {
      this.listener.lost(this.node, lost, error.disconnectReason, silence);
    }
  }
}

function kindOf(batch: readonly Subscription[]): SubscriptionKind {
  return batch[0]?.kind ?? SUBSCRIPTION_KINDS.channel;
}
