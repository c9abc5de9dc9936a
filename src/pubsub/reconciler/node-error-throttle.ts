import { ClusterUnreachableError, type ClusterPubSubError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { errorMessage } from '../../util/error-message.js';

/** How often a node's refusals are told, in ms: an ACL that was changed concerns all that stands there. */
const REFUSALS_EVERY = 1_000;

/** Tells what keeps subscriptions from standing at a node, without a flood: they are tried again all the time. */
export class NodeErrorThrottle {
  readonly #unreachable = new Set<NodeKey>();
  readonly #refusalsTold = new Map<NodeKey, number>();

  constructor(private readonly listener: { error(error: ClusterPubSubError): void }) {}

  /** Told once an outage. */
  unreachable(node: NodeKey, cause: unknown): void {
    if (!this.#unreachable.has(node)) {
      this.#unreachable.add(node);
      const message = errorMessage(cause);
      this.listener.error(
        new ClusterUnreachableError(`Subscriptions at ${node} wait for it to come back: ${message}`, {
          cause,
        }),
      );
    }
  }

  /** The outage, if there was one, is over. */
  reached(node: NodeKey): void {
    this.#unreachable.delete(node);
  }

  refused(node: NodeKey, refusal: ClusterPubSubError): void {
    const now = performance.now();
    if (now - (this.#refusalsTold.get(node) ?? -Infinity) >= REFUSALS_EVERY) {
      this.#refusalsTold.set(node, now);
      this.listener.error(refusal);
    }
  }
}
