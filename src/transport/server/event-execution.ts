import { MASKED_ERROR } from '../common/constants.js';
import { errorLogText } from '../../util/error-message.js';
import { HandlerExecution, type HandlerExecutionDeps } from './handler-execution.js';

/**
 * One event on its way through the handlers of its pattern. Results are discarded; an Observable is subscribed to, so
 * that it runs, and a failure is logged.
 *
 * @internal
 */
export class EventExecution extends HandlerExecution {
  constructor(route: string, deps: HandlerExecutionDeps) {
    super('event', route, deps);
  }

  next(): void {}

  complete(): void {}

  protected isRunning(): boolean {
    return !this.cancelled;
  }

  protected onRefused(): void {
    this.onFinished();
  }

  protected onResult(): void {}

  protected onFailure(error: unknown, source: 'handler' | 'stream'): void {
    // Nest's exception filter has logged the error that it masked; other errors of a stream it leaves to us (Nest 11: to
    // nobody).
    if (source === 'handler' || errorLogText(error) !== MASKED_ERROR.message) {
      this.log('Event handler failed', error);
    }
  }

  protected onFinished(): void {
    this.deps.inFlight.delete(this);
  }
}
