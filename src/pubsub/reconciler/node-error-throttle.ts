import { ClusterUnreachableError, type ClusterPubSubError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { errorMessage } from '../../util/error-message.js';

/** Least time between two reports of refusals by one node, in ms: a changed ACL affects all its subscriptions. */
const REFUSAL_REPORT_INTERVAL_MS = 1_000;

/** Reports why subscriptions on a node are not active, without a flood: they are retried all the time. */
export class NodeErrorThrottle {
  readonly #unreachable = new Set<NodeKey>();
  readonly #refusalsReportedAt = new Map<NodeKey, number>();

  constructor(private readonly listener: { error(error: ClusterPubSubError): void }) {}

  /** Reports an outage once. */
  unreachable(node: NodeKey, cause: unknown): void {
    if (!this.#unreachable.has(node)) {
      this.#unreachable.add(node);
      const message = errorMessage(cause);
      this.listener.error(
        new ClusterUnreachableError(
          `Subscriptions on ${node} are waiting for it to be reachable again: ${message}`,
          {
            cause,
          },
        ),
      );
    }
  }

  /** Ends the outage, if there was one. */
  reached(node: NodeKey): void {
    this.#unreachable.delete(node);
  }

  refused(node: NodeKey, refusal: ClusterPubSubError): void {
    const now = performance.now();
    if (now - (this.#refusalsReportedAt.get(node) ?? -Infinity) >= REFUSAL_REPORT_INTERVAL_MS) {
      this.#refusalsReportedAt.set(node, now);
      this.listener.error(refusal);
    }
  }
}
