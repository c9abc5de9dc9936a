import { describe, expect, it } from '@jest/globals';
import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import { deferred } from '../../../../src/util/promises.js';
import { EventExecution } from '../../../../src/transport/server/event-execution.js';
import { HandlerMetrics } from '../../../../src/transport/telemetry/handler-metrics.js';
import type { ClusterPubSubServer } from '../../../../src/transport/server/server.js';

/** Starts a run whose handler resolves to an Observable when it is told to. */
function started() {
  const told: string[] = [];
  const ready = deferred<undefined>();
  const ended = deferred<undefined>();
  const source = new Observable<never>(() => {
    told.push('subscribed');
    return () => told.push('unsubscribed');
  });
  const run = new EventExecution('order.paid', {
    hooks: {
      start: (_context, done) => done().then(() => ended.resolve(undefined)),
      end: () => told.push('ended'),
    },
    handlings: new HandlerMetrics({} as ClusterPubSubServer),
    log: (_route, problem) => told.push(problem),
    over: () => undefined,
  });
  const handler = (() => ready.promise.then(() => source)) as MessageHandler;
  run.start(handler, { orderId: 7 }, {} as BaseRpcContext);
  return { run, told, ready, ended: ended.promise };
}

describe('an event whose handler resolves to an Observable', () => {
  it('has it subscribed, so that it runs', async () => {
    const { told, ready, ended } = started();
    ready.resolve(undefined);
    await ended;
    expect(told).toEqual(['subscribed']);
  });

  it('has it stopped when the server closes', async () => {
    const { run, told, ready, ended } = started();
    ready.resolve(undefined);
    await ended;
    run.abort();
    expect(told).toContain('unsubscribed');
  });

  it('does not have it started when the server has closed meanwhile', async () => {
    const { run, told, ready, ended } = started();
    run.abort();
    ready.resolve(undefined);
    await ended;
    expect(told).toEqual(['ended']);
  });
});
