import { displayName } from '../common/channel-name.js';
import type { RememberedGap } from '../common/events.js';
import type { PubSubStatus } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';
import type { NodeSubscriber } from '../reconciler/node-subscriber.js';
import type { Carriers } from '../reconciler/node-subscribers.js';
import type { Subscription } from '../subscription/subscription.js';
import type { LastGap, UnconfirmedSubscription } from './health-types.js';
import { sum } from '../../util/arrays.js';

/** The state of one engine, read without a query to Redis. */
export interface EngineSnapshot {
  readonly status: PubSubStatus;
  readonly subscriptions: readonly Subscription[];
  readonly carriers: Carriers;
  readonly lastGap: RememberedGap | undefined;
  readonly unread: number;
  readonly waitingForSubscribers: number;
  /** The masters to which it has published lately. */
  publishedTo(): readonly NodeKey[];
  /** The number of messages that wait for this node, or for any. */
  waitingForNodes(node?: NodeKey): number;
}

/** Called for each check; the same function for the whole life of an engine, so that it identifies the engine. */
export type TakeSnapshot = () => EngineSnapshot;

/** The engines of one application seen as one: in a Nest application the server and each client have one. */
export class EngineSnapshots {
  readonly subscriptions: readonly Subscription[];

  constructor(private readonly engines: readonly EngineSnapshot[]) {
    // Joined once: there may be very many.
    this.subscriptions = engines.flatMap(({ subscriptions }) => subscriptions);
  }

  get status(): PubSubStatus {
    return this.engines[0]?.status ?? 'idle';
  }

  /** Subscriptions that have been unconfirmed for longer than `ms`. */
  unconfirmed(ms: number): UnconfirmedSubscription[] {
    const now = performance.now();
    return this.subscriptions
      .filter(({ state }) => state.activeNodes.size === 0)
      .map((subscription) => ({
        kind: subscription.kind.name,
        name: subscription.text,
        node: subscription.state.assigned ?? null,
        for: Math.round(now - subscription.state.inactiveSince),
      }))
      .filter((one) => one.for > ms);
  }

  /** The nodes where subscriptions belong, and the masters to which messages were published lately. */
  get needed(): ReadonlySet<NodeKey> {
    const needed = new Set(this.engines.flatMap((engine) => engine.publishedTo()));
    for (const { state } of this.subscriptions) {
      if (state.assigned !== undefined) {
        needed.add(state.assigned);
      }
    }
    return needed;
  }

  lastGap(maxNames: number): LastGap | null {
    const gaps = this.engines.flatMap(({ lastGap }) => lastGap ?? []);
    const [last] = gaps.sort((one, other) => other.reportedAt - one.reportedAt);
    if (last === undefined) {
      return null;
    }
    const { kind, reason, since, until, missed, node = null, names } = last.gap;
    const shown = names.slice(0, maxNames).map(displayName);
    const age = Math.round(performance.now() - last.reportedAt);
    return { kind, names: shown, reason, node, since, until, age, ...(missed !== undefined && { missed }) };
  }

  /** Whether a subscriber connection to the node is open. */
  isSubscribed(node: NodeKey): boolean {
    return this.#carriersTo(node).some(({ connected }) => connected);
  }

  /** The number of subscriptions that are active on the node. */
  activeOn(node: NodeKey): number {
    return sum(this.engines.map(({ carriers }) => carriers.confirmedOn(node)));
  }

  heartbeat(node: NodeKey): number | undefined {
    return this.#carriersTo(node).find(({ probe }) => probe?.roundTrip !== undefined)?.probe?.roundTrip;
  }

  waitingForNodes(node?: NodeKey): number {
    return sum(this.engines.map((engine) => engine.waitingForNodes(node)));
  }

  get waitingForSubscribers(): number {
    return sum(this.engines.map((engine) => engine.waitingForSubscribers));
  }

  get unread(): number {
    return sum(this.engines.map(({ unread }) => unread));
  }

  #carriersTo(node: NodeKey): NodeSubscriber[] {
    return this.engines.flatMap(({ carriers }) => carriers.to(node));
  }
}
