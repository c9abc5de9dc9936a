import type { ConnectionFactory } from '../connection/connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import type { LivenessProbeDeps } from '../liveness/liveness-probe.js';
import { NodeSubscriber, type MessageSink, type NodeSubscriberListener } from './node-subscriber.js';
import type { Subscription } from '../subscription/subscription.js';

/** One {@link NodeSubscriber} for each node that carries subscriptions, made on first use. */
export class NodeSubscribers {
  readonly #byNode = new Map<NodeKey, NodeSubscriber>();

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly probes: LivenessProbeDeps,
    private readonly sink: MessageSink,
    private readonly events: NodeSubscriberListener,
  ) {}

  get byNode(): ReadonlyMap<NodeKey, NodeSubscriber> {
    return this.#byNode;
  }

  get(node: NodeKey): NodeSubscriber | undefined {
    return this.#byNode.get(node);
  }

  at(node: NodeKey): NodeSubscriber {
    let session = this.#byNode.get(node);
    if (session === undefined) {
      session = new NodeSubscriber(
        node,
        this.factory,
        this.commandTimeout,
        this.probes,
        this.sink,
        this.events,
      );
      this.#byNode.set(node, session);
    }
    return session;
  }

  /** Resolves when no node carries it any more. */
  async drop(subscription: Subscription): Promise<void> {
    await Promise.all([...this.#byNode.values()].map((session) => session.drop(subscription)));
  }

  /** A node that carries nothing needs no connection. */
  endIfEmpty(session: NodeSubscriber): void {
    if (session.empty && this.#byNode.get(session.node) === session) {
      this.#byNode.delete(session.node);
      session.close();
    }
  }

  close(): void {
    for (const session of this.#byNode.values()) {
      session.close();
    }
    this.#byNode.clear();
  }
}
