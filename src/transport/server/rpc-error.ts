import { types } from 'node:util';
import { MASKED_ERROR } from '../common/constants.js';

/**
 * What the asker is told of an error. Nest's exception filters have made a plain value of it already; an `Error` that
 * gets here has passed outside of them, and its text is not for others to read, except where it is an `RpcException`,
 * which is made to be read.
 *
 * @internal
 * @param unmasked called with what is not told, to log it
 */
export function toRpcError(error: unknown, unmasked: (error: unknown) => void): unknown {
  let told: unknown;
  try {
    told = toldOf(error);
  } catch {
    // What an exception of the application says of itself is its own code, and may fail.
  }
  if (told === undefined) {
    unmasked(error);
    return MASKED_ERROR;
  }
  return told;
}

function toldOf(error: unknown): unknown {
  const getError = (error as { getError?: unknown } | null | undefined)?.getError;
  if (typeof getError === 'function') {
    const told: unknown = getError.call(error);
    return typeof told === 'object' && told !== null ? told : { status: 'error', message: told };
  }
  // A falsy error would read as success at the asker.
  return types.isNativeError(error) || !error ? undefined : error;
}
