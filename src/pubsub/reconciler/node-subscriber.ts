import { transition, type Transitions } from '../../util/transitions.js';
import { backoffDelay, pause } from '../../util/backoff.js';
import { PROBE_MARK, type ChannelKey } from '../common/channel-name.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';
import { LivenessProbe, type LivenessProbeDeps } from '../liveness/liveness-probe.js';
import { SlotWatch } from '../liveness/slot-watch.js';
import type { ConnectionLostError } from '../connection/resp-socket.js';
import { SubscriberConnection } from '../connection/subscriber-connection.js';
import { byScope, NodeBookkeeping } from './node-bookkeeping.js';
import {
  SubscriptionCommands,
  type ListenerRouter,
  type NodeSubscriberListener,
} from './subscription-commands.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';

/** What happens on a connection, for the scopes whose subscriptions it carries. */
export interface NodeSubscriberRouter extends ListenerRouter {
  /** The connection has ended. */
  disconnected(): void;
  /** Nothing is left to do. */
  idle(subscriber: NodeSubscriber): void;
}

/**
 * - `idle`: nothing to do, perhaps without a connection
 * - `connecting`: a connection is being opened
 * - `syncing`: commands were sent, and confirmations are awaited
 * - `backoff`: the node could not be reached, or needs a moment; a retry is scheduled
 * - `closed`: closed for good
 */
export type NodeSubscriberState = 'idle' | 'connecting' | 'syncing' | 'backoff' | 'closed';

export const NODE_SUBSCRIBER_TRANSITIONS: Transitions<NodeSubscriberState> = {
  idle: ['connecting', 'syncing', 'closed'],
  connecting: ['syncing', 'backoff', 'idle', 'closed'],
  syncing: ['idle', 'connecting', 'syncing', 'backoff', 'closed'],
  backoff: ['connecting', 'syncing', 'idle', 'closed'],
  closed: [],
};

/** Longest pause between two attempts to reach a node, in ms: each attempt also refreshes the topology. */
const MAX_BACKOFF_MS = 250;

/**
 * The subscriptions of all scopes on one connection to one node: the desired ones and the confirmed ones.
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
  #slotWatch: SlotWatch | undefined;
  readonly #commands: SubscriptionCommands;
  readonly #stop = new AbortController();
  #running = false;
  /** The scope whose handlers run, and since when, by the monotonic clock. */
  #dispatching: SubscriptionScope | undefined;
  #dispatchingSince = 0;

  constructor(
    readonly node: NodeKey,
    readonly layer: number,
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly probes: NodeProbeDeps,
    private readonly router: NodeSubscriberRouter,
  ) {
    this.#commands = new SubscriptionCommands(node, this.books, router);
  }

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

  /** How many subscriptions of the scope Redis has confirmed here. */
  sizeOf(scope: SubscriptionScope): number {
    return this.books.sizeOf(scope);
  }

  /** Number of wanted subscriptions of the scope that belong to this node and are active here. */
  activeCount(scope: SubscriptionScope): number {
    return this.books.sizeOf(scope) === 0 ? 0 : this.books.countActiveOn(this.node, scope);
  }

  /** The probe of the connection; undefined without one. */
  get probe(): LivenessProbe | undefined {
    return this.connection === undefined ? undefined : this.#probe;
  }

  /** See {@link SlotWatch.watches}. */
  watchesSlotOf({ text, slot }: Subscription): boolean {
    return this.connection !== undefined && this.#slotWatch?.watches(text, slot) === true;
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
      this.#listenerOf(subscription)?.confirmed(this.node, subscription);
    } else if (!this.books.adding.has(subscription)) {
      this.books.toAdd.add(subscription);
      this.#run();
    }
  }

  /** Resolves when the node no longer carries it. */
  drop(subscription: Subscription): Promise<void> {
    this.books.toAdd.delete(subscription);
    if (!this.books.knows(subscription)) {
      this.router.idle(this); // it may have been the last that was awaited here, or that Redis has ended here
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
          this.router.idle(this);
        }
      });
  }

  async #loop(): Promise<void> {
    let refusedSince: number | undefined;
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
      const isLastAttempt = performance.now() - (refusedSince ?? Infinity) > this.commandTimeout;
      const isDone = await this.#commands.sync(connection, isLastAttempt);
      refusedSince = isDone ? undefined : (refusedSince ?? performance.now());
      if (this.connection === connection && isDone) {
        attempt = 0;
      } else if (this.#hasWork()) {
        // The node drops the connection that it has accepted, or refuses for the moment: back off before retrying.
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
        message: (kind, match, channel, data) => this.#receive(kind, match, channel, data),
        revoked: (kind, channel) => this.#revoked(kind, channel),
        handled: () => this.#dispatchFor(undefined),
        closed: (error) => this.#disconnected(error, performance.now() - connection.completeUntil),
      });
      this.connection = connection;
      this.#slotWatch = new SlotWatch(this.node, connection, this.probes);
      this.#probe = new LivenessProbe(this.node, connection, {
        ...this.probes,
        count: (what) => {
          for (const { metrics } of this.books.scopes) {
            metrics[what] += 1;
          }
        },
      });
      return connection;
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#move('backoff');
        for (const scope of this.books.waitingScopes) {
          this.router.listenerOf(scope)?.unreachable(this.node, error);
        }
      }
      return undefined;
    }
  }

  #revoked(kind: SubscriptionKind, channel: ChannelKey): void {
    if (this.#probe?.owns(channel)) {
      this.#probe.onRevoked(channel);
      return;
    }
    if (this.#slotWatch?.owns(channel)) {
      this.#slotWatch.onRevoked(channel);
      return;
    }
    const subscription = this.books.forget(kind.name, channel);
    if (subscription !== undefined) {
      const silence = performance.now() - (this.connection?.completeUntil ?? performance.now());
      this.#listenerOf(subscription)?.revoked(this.node, subscription, silence);
    }
  }

  #disconnected(error: ConnectionLostError, silence: number): void {
    this.connection = undefined;
    this.#probe?.close(error);
    const lost = this.books.confirmed;
    this.books.clear();
    if (this.#state === 'closed') {
      return;
    }
    this.router.disconnected();
    for (const [scope, own] of byScope(lost)) {
      this.router.listenerOf(scope)?.lost(this.node, own, error.disconnectReason, silence);
    }
  }

  #receive(kind: SubscriptionKind, match: ChannelKey, channel: Buffer, data: Buffer): void {
    const subscription = this.books.receiver(kind.name, match);
    if (subscription === undefined) {
      this.#probe?.onMessage(match);
      return;
    }
    if (kind.name === 'pattern' && channel.includes(PROBE_MARK)) {
      return; // a classic probe, or a marker of a publisher: not for those who subscribe to everything
    }
    const { scope } = subscription;
    if (scope !== this.#dispatching) {
      this.#dispatchFor(scope);
    }
    scope.receive(subscription, this.node, channel, data);
  }

  /** Notes for how long the handlers of the former scope have kept the event loop busy. */
  #dispatchFor(scope: SubscriptionScope | undefined): void {
    const now = performance.now();
    const former = this.#dispatching?.metrics;
    if (former !== undefined) {
      former.maxDispatchTime = Math.max(former.maxDispatchTime, now - this.#dispatchingSince);
    }
    this.#dispatching = scope;
    this.#dispatchingSince = now;
    if (scope !== undefined) {
      scope.completeUntil = this.connection?.completeUntil ?? now;
    }
  }

  #listenerOf({ scope }: Subscription): NodeSubscriberListener | undefined {
    return this.router.listenerOf(scope);
  }
}

/** What a liveness probe needs, but the scopes that count it. */
export type NodeProbeDeps = Omit<LivenessProbeDeps, 'count'>;
