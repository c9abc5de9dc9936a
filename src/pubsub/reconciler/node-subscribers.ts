import type { ConnectionFactory } from '../connection/connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import { sum } from '../../util/arrays.js';
import { NodeSubscriber, type NodeProbeDeps, type NodeSubscriberRouter } from './node-subscriber.js';
import type { NodeSubscriberListener } from './subscription-commands.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';

/** What a scope is asked and told about the connections that carry its subscriptions. */
export interface CarriedScope extends NodeSubscriberListener {
  /** A subscription is to be added to this connection of the node in a moment. */
  isAwaited(node: NodeKey, layer: number): boolean;
}

/** The subscriber connections that carry the subscriptions of one scope. */
export interface Carriers {
  to(node: NodeKey): readonly NodeSubscriber[];
  /** Number of subscriptions of the scope that the node has confirmed. */
  confirmedOn(node: NodeKey): number;
}

/**
 * The subscriber connections of a link, which several scopes share: one per node, and a further one per node and layer
 * for names that several scopes have subscribed to. Created on first use.
 */
export class NodeSubscribers implements NodeSubscriberRouter {
  readonly #byNode = new Map<NodeKey, Map<number, NodeSubscriber>>();
  readonly #scopes = new Map<SubscriptionScope, CarriedScope>();

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly probes: NodeProbeDeps,
  ) {}

  join(scope: SubscriptionScope, carried: CarriedScope): void {
    this.#scopes.set(scope, carried);
  }

  leave(scope: SubscriptionScope): void {
    this.#scopes.delete(scope);
  }

  listenerOf(scope: SubscriptionScope): CarriedScope | undefined {
    return this.#scopes.get(scope);
  }

  /** Why the node could not be connected to when that was last tried. */
  failureOf(node: NodeKey): Error | undefined {
    return this.factory.failures.of(node);
  }

  /** The connections to the node, of all layers. */
  of(node: NodeKey): readonly NodeSubscriber[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }

  get(node: NodeKey, { layer }: Subscription): NodeSubscriber | undefined {
    return this.#byNode.get(node)?.get(layer);
  }

  at(node: NodeKey, { layer }: Subscription): NodeSubscriber {
    const layers = this.#byNode.get(node) ?? new Map<number, NodeSubscriber>();
    let subscriber = layers.get(layer);
    if (subscriber === undefined) {
      subscriber = new NodeSubscriber(node, layer, this.factory, this.commandTimeout, this.probes, this);
      layers.set(layer, subscriber);
      this.#byNode.set(node, layers);
    }
    return subscriber;
  }

  /**
   * Number of wanted subscriptions of the scope that are active on their node. Counted, because it is checked after every
   * refresh: with 10,000 subscriptions a look-up for each costs three times as much as all else that an idle engine does.
   */
  activeCount(scope: SubscriptionScope): number {
    return sum(this.#all.map((subscriber) => subscriber.activeCount(scope)));
  }

  /** The connections to the nodes as the scope sees them. */
  carriersOf(scope: SubscriptionScope): Carriers {
    return {
      to: (node) => this.of(node),
      confirmedOn: (node) => sum(this.of(node).map((subscriber) => subscriber.sizeOf(scope))),
    };
  }

  /** Resolves when no node carries it. */
  async drop(subscription: Subscription): Promise<void> {
    const { layer } = subscription;
    const carriers = this.#all.filter((subscriber) => subscriber.layer === layer);
    await Promise.all(carriers.map((subscriber) => subscriber.drop(subscription)));
  }

  disconnected(): void {
    this.probes.topology.refreshSoon();
  }

  /** Closes the connection if it carries nothing. */
  idle(subscriber: NodeSubscriber): void {
    const { node, layer } = subscriber;
    const layers = this.#byNode.get(node);
    if (!subscriber.empty || layers?.get(layer) !== subscriber) {
      return;
    }
    // Asked last: a scope looks through all its subscriptions.
    if ([...this.#scopes.values()].some((scope) => scope.isAwaited(node, layer))) {
      return;
    }
    layers.delete(layer);
    if (layers.size === 0) {
      this.#byNode.delete(node);
    }
    subscriber.close();
  }

  close(): void {
    for (const subscriber of this.#all) {
      subscriber.close();
    }
    this.#byNode.clear();
  }

  get #all(): readonly NodeSubscriber[] {
    return [...this.#byNode.values()].flatMap((layers) => [...layers.values()]);
  }
}
