import { deferred } from '../../util/promises.js';
import type { ClusterPubSubError } from '../common/errors.js';
import { ClusterUnreachableError } from '../common/errors.js';
import type { Subscription } from './subscription.js';

/**
 * Resolves when Redis has confirmed the subscription that `begin` asks for, and rejects when it refuses.
 *
 * @param onConfirmed is called before any message of the subscription is handed out, which a promise could not promise
 * @param onLate is called after `ms`; who stood before stays wanted, for its earlier subscriber wants it still
 */
export async function awaitConfirmation(
  subscription: Subscription,
  ms: number,
  onConfirmed: () => void,
  begin: () => void,
  onLate: (error: ClusterPubSubError) => void,
): Promise<void> {
  const confirmation = deferred<undefined>();
  subscription.state.addWaiter({
    ...confirmation,
    resolve: (value) => {
      onConfirmed();
      confirmation.resolve(value);
    },
  });
  const deadline = setTimeout(() => {
    const error = new ClusterUnreachableError(
      `"${subscription.text}" was not confirmed within ${String(ms)} ms` +
        (subscription.state.assigned === undefined
          ? '.'
          : `; ${subscription.state.assigned} does not answer.`),
    );
    if (subscription.state.cause === undefined) {
      onLate(error);
    } else {
      confirmation.reject(error);
    }
  }, ms);
  begin();
  try {
    await confirmation.promise;
  } finally {
    clearTimeout(deadline);
  }
}
