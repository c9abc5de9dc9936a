import type { ConnectionFactory } from '../connection/connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import type { LivenessProbeDeps } from '../liveness/liveness-probe.js';
import { NodeSubscriber, type MessageSink, type NodeSubscriberListener } from './node-subscriber.js';
import type { Subscription } from '../subscription/subscription.js';

/** One {@link NodeSubscriber} per node that carries subscriptions, created on first use. */
export class NodeSubscribers {
  readonly #byNode = new Map<NodeKey, NodeSubscriber>();

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly probes: LivenessProbeDeps,
    private readonly sink: MessageSink,
    private readonly listener: NodeSubscriberListener,
  ) {}

  get byNode(): ReadonlyMap<NodeKey, NodeSubscriber> {
    return this.#byNode;
  }

  get(node: NodeKey): NodeSubscriber | undefined {
    return this.#byNode.get(node);
  }

  at(node: NodeKey): NodeSubscriber {
    let subscriber = this.#byNode.get(node);
    if (subscriber === undefined) {
      subscriber = new NodeSubscriber(
        node,
        this.factory,
        this.commandTimeout,
        this.probes,
        this.sink,
        this.listener,
      );
      this.#byNode.set(node, subscriber);
    }
    return subscriber;
  }

  /** Resolves when no node carries it. */
  async drop(subscription: Subscription): Promise<void> {
    await Promise.all([...this.#byNode.values()].map((subscriber) => subscriber.drop(subscription)));
  }

  /** Closes the connection to a node that carries nothing. */
  endIfEmpty(node: NodeKey): void {
    const subscriber = this.#byNode.get(node);
    if (subscriber?.empty === true) {
      this.#byNode.delete(node);
      subscriber.close();
    }
  }

  close(): void {
    for (const subscriber of this.#byNode.values()) {
      subscriber.close();
    }
    this.#byNode.clear();
  }
}
