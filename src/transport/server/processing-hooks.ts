import type { BaseRpcContext } from '@nestjs/microservices';
import { isPromiseLike } from '../../util/promises.js';

/**
 * The hooks of Nest's `Server` (`setOnProcessingStartHook`, `setOnProcessingEndHook`), read anew for each message: they
 * may be set at any time.
 *
 * @internal
 */
export interface ProcessingHooks {
  start(context: BaseRpcContext, done: () => Promise<void>): unknown;
  end(context: BaseRpcContext): void;
}

/**
 * Runs `body` once the start hook calls its `done`. `body` catches its own errors. A hook that fails before that is
 * given to `refused`; afterwards it can only be told of.
 *
 * @internal
 */
export function startProcessing(
  hooks: ProcessingHooks,
  context: BaseRpcContext,
  body: () => Promise<void>,
  refused: (error: unknown, began: boolean) => void,
): void {
  let began = false;
  const done = (): Promise<void> => {
    if (began) {
      return Promise.resolve();
    }
    began = true;
    return body();
  };
  try {
    const result = hooks.start(context, done);
    // Nest's default hook returns what `done` returns; a hook of a user may return nothing, or a promise that rejects.
    if (isPromiseLike(result)) {
      result.then(undefined, (error: unknown) => refused(error, began));
    }
  } catch (error) {
    refused(error, began);
  }
}
