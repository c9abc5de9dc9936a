import type { Delivery } from '../evidence.js';
import { trafficPlanFor, requestPatternsOf } from '../traffic-plan.js';
import type { GapReport, Subscription, Peer, PeerDefinition } from '../peer.js';
import { emptyReport, type Report, type SubscriberRole } from './protocol.js';
import { until } from './until.js';

/** How long nothing must arrive until everything has, in ms; and how long to wait for such a moment. */
const silence = 600;
const patience = 10_000;

/** Subscribes to all channels and patterns, answers requests on patterns of its own, and records both. */
export class Subscriber {
  readonly #subscriptions: readonly Subscription[];
  #deliveries: Delivery[] = [];
  #gaps: GapReport[] = [];
  #handled = new Map<string, number>();
  #lastAt = 0;

  constructor(
    private readonly peer: Peer,
    private readonly definition: PeerDefinition,
    private readonly role: SubscriberRole,
  ) {
    this.#subscriptions = trafficPlanFor(definition.kinds).subscriptions;
  }

  async subscribe(): Promise<void> {
    await this.peer.subscribe(
      this.#subscriptions,
      (subscription, channel, payload) => this.#deliver(subscription, channel, payload),
      (gap) => this.#gaps.push(gap),
    );
    if (this.definition.requests) {
      await this.peer.serve?.(requestPatternsOf(this.role.server), (id) => {
        this.#handled.set(id, (this.#handled.get(id) ?? 0) + 1);
        return `done ${id}`;
      });
    }
  }

  async rest(): Promise<void> {
    const now = Date.now();
    await until(() => Date.now() - Math.max(this.#lastAt, now) >= silence, patience);
  }

  report(): Report {
    const report = {
      ...emptyReport,
      subscriptions: this.#subscriptions,
      deliveries: this.#deliveries,
      gaps: this.#gaps,
      handled: this.#handled,
    };
    this.#deliveries = [];
    this.#gaps = [];
    this.#handled = new Map();
    return report;
  }

  #deliver(subscription: Subscription, channel: string, payload: string): void {
    const at = Date.now();
    this.#lastAt = at;
    const colon = payload.indexOf(':');
    this.#deliveries.push({
      subscription,
      channel,
      publisher: payload.slice(0, colon),
      n: Number(payload.slice(colon + 1)),
      at,
    });
  }
}
