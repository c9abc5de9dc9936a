import { types } from 'node:util';
import { MASKED_ERROR } from '../common/constants.js';

/**
 * The error to send to the requester. Nest's exception filters turn errors into plain values; an `Error` that arrives here
 * has bypassed them and is masked, because its text may be confidential. An `RpcException` is made to be read.
 *
 * @internal
 * @param onMasked called with an error that is masked, to log it
 */
export function toRpcError(error: unknown, onMasked: (error: unknown) => void): unknown {
  let rpcError: unknown;
  try {
    rpcError = readableError(error);
  } catch {
    // `getError` of an application's exception may throw.
  }
  if (rpcError === undefined) {
    onMasked(error);
    return MASKED_ERROR;
  }
  return rpcError;
}

/** Undefined for an error to mask. */
function readableError(error: unknown): unknown {
  const getError = (error as { getError?: unknown } | null | undefined)?.getError;
  if (typeof getError === 'function') {
    const payload: unknown = getError.call(error);
    return typeof payload === 'object' && payload !== null ? payload : { status: 'error', message: payload };
  }
  // A falsy error would look like success to the requester.
  return types.isNativeError(error) || !error ? undefined : error;
}
