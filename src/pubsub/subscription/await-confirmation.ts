import { deferred } from '../../util/promises.js';
import { errorReason } from '../../util/error-message.js';
import type { ClusterPubSubError } from '../common/errors.js';
import { ClusterUnreachableError } from '../common/errors.js';
import type { Subscription } from './subscription.js';

/**
 * Resolves when Redis has confirmed the subscription that `begin` requests; rejects when Redis refuses it.
 *
 * @param onConfirmed is called before any message of the subscription is delivered; a promise would settle too late
 * @param failure why it is not confirmed, as far as is known
 * @param onLate is called after `ms` if it was never active; otherwise an earlier subscriber still wants it
 */
export async function awaitConfirmation(
  subscription: Subscription,
  ms: number,
  onConfirmed: () => void,
  begin: () => void,
  failure: () => unknown,
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
  let isSettled = false;
  const expire = (): void => {
    if (isSettled) {
      return;
    }
    const { assigned } = subscription.state;
    const cause = failure();
    const where = assigned === undefined ? 'no node owns its slot' : `${assigned} did not reply`;
    const reason = cause === undefined || assigned === undefined ? where : errorReason(cause);
    const error = new ClusterUnreachableError(
      `"${subscription.text}" was not confirmed within ${String(ms)} ms: ${reason}.`,
      { cause },
    );
    if (subscription.state.cause === undefined) {
      onLate(error);
    } else {
      confirmation.reject(error);
    }
  };
  // The confirmation may be in the socket: after a blocked event loop, timers run before sockets are read.
  const deadline = setTimeout(() => setImmediate(expire), ms);
  begin();
  try {
    await confirmation.promise;
  } finally {
    isSettled = true;
    clearTimeout(deadline);
  }
}
