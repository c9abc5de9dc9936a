import { displayName } from '../common/channel-name.js';
import type { RememberedGap } from '../common/events.js';
import type { PubSubStatus } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';
import type { NodeSubscriber } from '../reconciler/node-subscriber.js';
import type { Subscription } from '../subscription/subscription.js';
import type { LastGap, UnconfirmedSubscription } from './health-types.js';
import { sum } from '../../util/arrays.js';

/** What an engine knows of itself, without asking anybody. */
export interface EngineSnapshot {
  readonly status: PubSubStatus;
  readonly subscriptions: readonly Subscription[];
  readonly sessions: ReadonlyMap<NodeKey, NodeSubscriber>;
  readonly lastGap: RememberedGap | undefined;
  readonly unread: number;
  readonly waitingForSubscribers: number;
  /** How many messages wait for this node, or for any. */
  waitingForNodes(node?: NodeKey): number;
}

/** All engines of one application as one: the server of a Nest application has its own, its client another. */
export class EngineSnapshots {
  readonly subscriptions: readonly Subscription[];

  constructor(private readonly engines: readonly EngineSnapshot[]) {
    // Put together once: there may be very many.
    this.subscriptions = engines.flatMap(({ subscriptions }) => subscriptions);
  }

  get status(): PubSubStatus {
    return this.engines[0]?.status ?? 'idle';
  }

  /** Those that have not been confirmed for longer than `ms`. */
  unconfirmed(ms: number): UnconfirmedSubscription[] {
    const now = performance.now();
    return this.subscriptions
      .filter(({ activeNodes: standing }) => standing.size === 0)
      .map((subscription) => ({
        kind: subscription.kind.name,
        name: subscription.text,
        node: subscription.assigned ?? null,
        for: Math.round(now - subscription.missingSince),
      }))
      .filter((one) => one.for > ms);
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

  /** Whether a connection for subscriptions to the node is open. */
  isSubscribed(node: NodeKey): boolean {
    return this.#sessionsAt(node).some(({ connected }) => connected);
  }

  standingAt(node: NodeKey): number {
    return sum(this.#sessionsAt(node).map(({ active: standing }) => standing));
  }

  heartbeat(node: NodeKey): number | undefined {
    return this.#sessionsAt(node).find(({ heartbeat }) => heartbeat !== undefined)?.heartbeat;
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

  #sessionsAt(node: NodeKey): NodeSubscriber[] {
    return this.engines.flatMap(({ sessions }) => sessions.get(node) ?? []);
  }
}
