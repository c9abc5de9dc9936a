import { describe, expect, it } from '@jest/globals';
import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import { deferred } from '../../../../src/util/promises.js';
import { EventExecution } from '../../../../src/transport/server/event-execution.js';
import { HandlerMetrics } from '../../../../src/transport/telemetry/handler-metrics.js';
import { InFlightHandlers } from '../../../../src/transport/server/handler-execution.js';

/** Starts an execution whose handler resolves to an Observable once `ready` is resolved. */
function started() {
  const steps: string[] = [];
  const inFlight = new InFlightHandlers();
  const ready = deferred<undefined>();
  const ended = deferred<undefined>();
  const source = new Observable<never>(() => {
    steps.push('subscribed');
    return () => steps.push('unsubscribed');
  });
  const execution = new EventExecution('order.paid', {
    hooks: {
      onProcessingStartHook: (_id, _context, run) => run().then(() => ended.resolve(undefined)),
      onProcessingEndHook: () => steps.push('ended'),
    },
    metrics: new HandlerMetrics({}),
    inFlight,
    log: (_route, problem) => steps.push(problem),
  });
  const handler = (() => ready.promise.then(() => source)) as MessageHandler;
  execution.start(handler, { orderId: 7 }, {} as BaseRpcContext);
  return { execution, inFlight, steps, ready, ended: ended.promise };
}

describe('an event whose handler resolves to an Observable', () => {
  it('has it subscribed, so that it runs', async () => {
    const { inFlight, steps, ready, ended } = started();
    ready.resolve(undefined);
    await ended;
    expect(steps).toEqual(['subscribed']);
    expect(inFlight.size).toBe(1);
  });

  it('has it stopped when the server closes', async () => {
    const { execution, inFlight, steps, ready, ended } = started();
    ready.resolve(undefined);
    await ended;
    execution.abort();
    expect(steps).toEqual(['subscribed', 'unsubscribed', 'ended']);
    expect(inFlight.size).toBe(0);
  });

  it('does not have it started when the server has closed meanwhile', async () => {
    const { execution, steps, ready, ended } = started();
    execution.abort();
    ready.resolve(undefined);
    await ended;
    expect(steps).toEqual(['ended']);
  });
});
