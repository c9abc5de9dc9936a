import { GenerationalCache } from '../../util/generational-cache.js';
import type { Deferred } from '../../util/promises.js';
import type { Gap } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';
import type { MigrationDeduplicator } from '../ordering/migration-dedup.js';

/** When, where and why a subscription was interrupted. */
export type InterruptionCause = Pick<Gap, 'since' | 'node' | 'reason'>;

/**
 * - `pending`: wanted, and not confirmed by any node yet
 * - `active`: confirmed by a node
 * - `migrating`: active, and on its way from one live node to another
 * - `grace`: its slot has left the node; publishers of this package hold their messages back while it follows
 * - `lost`: was active and is not subscribed on any node; a gap is reported when it is active again
 * - `ended`: no longer wanted
 */
export type SubscriptionStateName = 'pending' | 'active' | 'migrating' | 'grace' | 'lost' | 'ended';

export type SubscriptionEvent =
  'confirmed' | 'migration started' | 'migration over' | 'slot left' | 'interrupted' | 'removed';

export interface SubscriptionTransition {
  readonly from: SubscriptionStateName;
  readonly to: SubscriptionStateName;
  readonly on: SubscriptionEvent;
}

/** Every legal move. docs/architecture.md shows the same table; a test compares the two. */
export const SUBSCRIPTION_TRANSITIONS: readonly SubscriptionTransition[] = [
  { from: 'pending', to: 'active', on: 'confirmed' },
  { from: 'pending', to: 'lost', on: 'interrupted' }, // it takes the place of a lost one
  { from: 'pending', to: 'ended', on: 'removed' },
  { from: 'active', to: 'migrating', on: 'migration started' },
  { from: 'active', to: 'grace', on: 'slot left' },
  { from: 'active', to: 'lost', on: 'interrupted' },
  { from: 'active', to: 'ended', on: 'removed' },
  { from: 'migrating', to: 'active', on: 'migration over' },
  { from: 'migrating', to: 'ended', on: 'removed' },
  { from: 'grace', to: 'active', on: 'confirmed' },
  { from: 'grace', to: 'lost', on: 'interrupted' },
  { from: 'grace', to: 'ended', on: 'removed' },
  { from: 'lost', to: 'active', on: 'confirmed' },
  { from: 'lost', to: 'ended', on: 'removed' },
];

const NEXT = new Map(SUBSCRIPTION_TRANSITIONS.map(({ from, on, to }) => [`${from}, ${on}`, to]));

const NO_NODES: ReadonlySet<NodeKey> = new Set();

/** The sets of one node, of the nodes of late. */
const SINGLE_NODES = new GenerationalCache<ReadonlySet<NodeKey>>(1_024);

/**
 * The actual state of one subscription: what is known of it, the named state that this adds up to, and its timers.
 *
 * An illegal move throws where `NODE_ENV` is `test`. Elsewhere it is ignored: the next refresh of the topology
 * reconciles every subscription, and an exception would end a connection or the process instead.
 */
export class SubscriptionState {
  #name: SubscriptionStateName = 'pending';
  #assigned: NodeKey | undefined;
  #migration: MigrationDeduplicator | undefined;
  #cause: InterruptionCause | undefined;
  #inactiveSince = performance.now();
  #refusals = 0;
  #refusal: Error | undefined;
  #ownerQueries = 0;
  #graceTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  /** Never changed, but replaced: the set of one node is the same object for all subscriptions. */
  #activeNodes = NO_NODES;
  #waiters: Deferred<undefined>[] | undefined;

  get name(): SubscriptionStateName {
    return this.#name;
  }

  get ended(): boolean {
    return this.#name === 'ended';
  }

  /** Active until a moment ago, and to be active again: in `grace` or `lost`. */
  get interrupted(): boolean {
    return this.#name === 'grace' || this.#name === 'lost';
  }

  /** The node it was given to: the one that it belongs to as far as the topology is known. */
  get assigned(): NodeKey | undefined {
    return this.#assigned;
  }

  /** The nodes that have confirmed it: one, or two while it migrates. */
  get activeNodes(): ReadonlySet<NodeKey> {
    return this.#activeNodes;
  }

  get migration(): MigrationDeduplicator | undefined {
    return this.#migration;
  }

  /** The interruption that the next confirmation ends; also of a pending one that replaces another. */
  get cause(): InterruptionCause | undefined {
    return this.#cause;
  }

  /**
   * Start of the time without a confirmation, by the monotonic clock, in ms; of an active one, of the last such time.
   */
  get inactiveSince(): number {
    return this.#inactiveSince;
  }

  /** How often Redis has refused it since it was last active. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Why Redis refused it last; undefined once it was active since. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /** Not to be added to the assigned node now: that has refused it, or is being asked where its slot went. */
  get paused(): boolean {
    return this.#retryTimer !== undefined || this.#ownerQueries > 0;
  }

  /** Its subscribers wait for the first confirmation, so that a refusal is theirs to handle. */
  get awaited(): boolean {
    return this.#waiters !== undefined && this.#cause === undefined;
  }

  assign(node: NodeKey | undefined): void {
    this.#assigned = node;
    this.#stopRetry();
  }

  confirm(node: NodeKey): void {
    this.#activeNodes = nodesOf([...this.#activeNodes, node]);
    this.#refusals = 0;
    this.#refusal = undefined;
    this.#stopRetry();
  }

  /** Ends the interruption, now that a node has confirmed it. */
  activate(): void {
    clearTimeout(this.#graceTimer);
    this.#cause = undefined;
    if (this.#name !== 'active' && this.#name !== 'migrating') {
      this.#move('confirmed');
    }
  }

  /** Returns whether the node had confirmed it. */
  leave(node: NodeKey): boolean {
    if (!this.#activeNodes.has(node)) {
      return false;
    }
    this.#activeNodes = nodesOf([...this.#activeNodes].filter((one) => one !== node));
    return true;
  }

  /** Replaces a migration that is under way. */
  startMigration(migration: MigrationDeduplicator): void {
    this.#migration = migration;
    if (this.#name !== 'migrating') {
      this.#move('migration started');
    }
  }

  endMigration(migration: MigrationDeduplicator): void {
    if (this.#migration !== migration) {
      return;
    }
    this.#migration = undefined;
    if (this.#name !== 'ended') {
      this.#move('migration over');
    }
  }

  startGracePeriod(cause: InterruptionCause, ms: number, onOver: () => void): void {
    this.#move('slot left');
    this.#interruptBy(cause);
    this.#graceTimer = setTimeout(onOver, ms);
  }

  /** Keeps the cause of a grace period that has come before. */
  interrupt(cause: InterruptionCause): void {
    clearTimeout(this.#graceTimer);
    this.#move('interrupted');
    this.#interruptBy(cause);
  }

  /** A gap since the cause is to be reported at the first confirmation. */
  replaceAnother(cause: InterruptionCause): void {
    this.#cause = cause;
  }

  retryIn(ms: number, retry: () => void, refusal: Error): void {
    this.#stopRetry();
    this.#refusals += 1;
    this.#refusal = refusal;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      retry();
    }, ms);
  }

  /** The node that has ended it is asked where its slot went. */
  async queryOwner(query: Promise<void>): Promise<void> {
    this.#ownerQueries += 1;
    try {
      await query;
    } catch {
      // It cannot be asked; the next refresh tells.
    } finally {
      this.#ownerQueries -= 1;
    }
  }

  addWaiter(waiter: Deferred<undefined>): void {
    (this.#waiters ??= []).push(waiter);
  }

  resolveWaiters(): void {
    for (const waiter of this.#takeWaiters()) {
      waiter.resolve(undefined);
    }
  }

  rejectWaiters(error: Error): void {
    for (const waiter of this.#takeWaiters()) {
      waiter.reject(error);
    }
  }

  end(): void {
    if (this.#name !== 'ended') {
      this.#move('removed');
      clearTimeout(this.#graceTimer);
      this.assign(undefined);
    }
  }

  /** No node carries it any more. */
  leaveAll(): void {
    this.#activeNodes = NO_NODES;
  }

  #interruptBy(cause: InterruptionCause): void {
    if (this.#cause === undefined) {
      this.#cause = cause;
      this.#inactiveSince = monotonic(cause.since);
    }
  }

  #stopRetry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  #takeWaiters(): readonly Deferred<undefined>[] {
    const waiters = this.#waiters ?? [];
    this.#waiters = undefined;
    return waiters;
  }

  #move(on: SubscriptionEvent): void {
    const next = NEXT.get(`${this.#name}, ${on}`);
    if (next !== undefined) {
      this.#name = next;
    } else if (process.env['NODE_ENV'] === 'test') {
      throw new Error(`Illegal move of a subscription: "${on}" while ${this.#name}`);
    }
  }
}

/** The set of these nodes. Most subscriptions are on one node, and a set of its own takes more memory than its state. */
function nodesOf(nodes: readonly NodeKey[]): ReadonlySet<NodeKey> {
  const [only] = nodes;
  if (only === undefined) {
    return NO_NODES;
  }
  if (nodes.length > 1) {
    return new Set(nodes);
  }
  let set = SINGLE_NODES.get(only);
  if (set === undefined) {
    set = new Set(nodes);
    SINGLE_NODES.add(only, set);
  }
  return set;
}

/** The time of the monotonic clock at that date. Call it at once, before anybody sets the other clock. */
function monotonic(date: Date): number {
  return performance.now() - (Date.now() - date.getTime());
}
