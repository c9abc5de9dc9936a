import { describe, expect, it } from '@jest/globals';
import type { BaseRpcContext } from '@nestjs/microservices';
import { firstValueFrom, from, lastValueFrom, NEVER, Observable, of, throwError } from 'rxjs';
import { instrumentServer } from '../../../../src/opentelemetry/index.js';
import type { ClusterPubSub } from '../../../../src/pubsub/cluster-pubsub.js';
import type { ClusterPubSubContext } from '../../../../src/transport/index.js';
import {
  addHandlers,
  type Handlers,
  listen,
  logged,
  outcome,
  transports,
} from '../../../support/transports.js';
import { eventually, Signal } from '../../../support/waiting.js';

const harness = transports();

const UNREACHABLE = { nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 };

describe('listen', () => {
  it('calls back once everything is subscribed: the first request after it is answered', async () => {
    const client = harness.client();
    await client.connect();
    for (let i = 0; i < 10; i++) {
      await harness.server({ [`r${i}`]: () => i, [`w${i}.*`]: () => i });
      expect(await lastValueFrom(client.send(`r${i}`, 1))).toBe(i);
      expect(await lastValueFrom(client.send(`w${i}.x`, 1))).toBe(i);
    }
  });

  it('calls back with our error when the cluster cannot be reached, and may be called again', async () => {
    const server = harness.newServer(UNREACHABLE);
    await expect(listen(server)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    await expect(listen(server)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(() => server.unwrap()).toThrow(expect.objectContaining({ code: 'NOT_CONNECTED' }));
  });

  it('calls back with our error when the server is closed meanwhile', async () => {
    const server = harness.newServer();
    addHandlers(server, { a: () => 1 });
    const listening = listen(server);
    const closing = server.close();
    await expect(listening).rejects.toMatchObject({ code: 'CLOSED' });
    await closing;
  });

  it('works again after close', async () => {
    const server = await harness.server({ a: () => 1 });
    await server.close();
    await listen(server);
    expect(await lastValueFrom(harness.client().send('a', 1))).toBe(1);
  });

  it('names the pattern that has two message handlers, and lets the later one answer', async () => {
    const server = harness.newServer();
    addHandlers(server, { twice: () => 'first' });
    addHandlers(server, { twice: () => 'second' });
    expect(logged.at(-1)).toContain('"twice"');
    await listen(server);
    expect(await lastValueFrom(harness.client().send('twice', 1))).toBe('second');
    expect([...server.getHandlers().keys()]).toEqual(['twice']);
  });
});

describe('close of a server', () => {
  it('lets a running handler finish and answer', async () => {
    const running = new Signal();
    const finish = new Signal();
    const server = await harness.server(
      {
        slow: async () => {
          running.resolve();
          await finish.promise;
          return 'finished';
        },
      },
      { shutdownGracePeriod: 5_000 },
    );
    const answer = outcome(harness.client().send('slow', 1));
    await running.promise;
    const closing = server.close();
    finish.resolve();
    expect(await answer).toEqual({ values: ['finished'] });
    await closing;
  });

  it('replies an error for a handler that does not finish in time, and stops its stream', async () => {
    const running = new Signal();
    const left = new Signal();
    const server = await harness.server({
      endless: () =>
        new Observable(() => {
          running.resolve();
          return () => left.resolve();
        }),
    });
    const answer = outcome(harness.client().send('endless', 1));
    await running.promise;
    await server.close();
    await left.promise;
    expect(await answer).toMatchObject({
      error: { status: 'error', message: expect.stringContaining('shut down') },
    });
  });

  it('handles nothing after it', async () => {
    let calls = 0;
    const server = await harness.server({
      a: () => ++calls,
      'event:a': () => ++calls,
      'event:*': () => ++calls,
    });
    const client = harness.client();
    await client.connect();
    await server.close();
    await lastValueFrom(client.emit('a', 1));
    expect(await outcome(client.send('a', 1))).toMatchObject({ error: { code: 'NO_SUBSCRIBERS' } });
    expect(calls).toBe(0);
  });

  it('loses no request that was counted as received', async () => {
    const handlers: Handlers = { a: (n: number) => n };
    const client = harness.client();
    const stays = await harness.server(handlers);
    const leaves = await harness.server(handlers, { shutdownGracePeriod: 1_000 });
    const answers: Promise<unknown>[] = [];
    const send = (n: number): void => void answers.push(lastValueFrom(client.send('a', n + 1)));
    for (let i = 0; i < 100; i++) {
      send(i);
    }
    await firstValueFrom(client.send('a', 1));
    const closing = Promise.all([leaves.close(), stays.close()]);
    for (let i = 100; i < 200; i++) {
      send(i);
    }
    const results = await Promise.allSettled(answers);
    await closing;
    // Answered, or failed at once without subscribers: never left to time out.
    for (const result of results) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ code: 'NO_SUBSCRIBERS' });
      }
    }
  });

  it('may be called at any time, and more than once', async () => {
    const server = await harness.server({ a: () => 1 });
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await harness.newServer().close();
  });
});

describe('a client', () => {
  it('connects once, however often it is asked', async () => {
    const client = harness.client();
    await Promise.all([client.connect(), client.connect()]);
    const engine = client.unwrap<ClusterPubSub<'buffer'>>();
    await client.connect();
    expect(client.unwrap()).toBe(engine);
  });

  it('tries again after a failure', async () => {
    const client = harness.client(UNREACHABLE);
    const engine = async (): Promise<unknown> => client.connect().catch((error: unknown) => error);
    expect(await engine()).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(await engine()).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(await outcome(client.send('a', 1))).toMatchObject({ error: { code: 'CLUSTER_UNREACHABLE' } });
  });

  it('works again after close', async () => {
    await harness.server({ a: () => 1 });
    const client = harness.client();
    expect(await lastValueFrom(client.send('a', 1))).toBe(1);
    await Promise.all([client.close(), client.close()]);
    expect(await lastValueFrom(client.send('a', 1))).toBe(1);
  });
});

describe('status and events', () => {
  it('reports the connection in the words of Nest, at any time of subscription', async () => {
    const server = harness.newServer();
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    await listen(server);
    await server.close();
    expect(statuses).toEqual(['connected', 'disconnected']);

    const client = harness.client();
    await client.connect();
    expect(await firstValueFrom(client.status)).toBe('connected');
  });

  it('reach listeners that were there before the connection', async () => {
    for (const one of [harness.newServer(), harness.client()]) {
      const statuses: string[] = [];
      one.on('status', (status) => void statuses.push(status));
      await ('listen' in one ? listen(one) : one.connect());
      await one.close();
      expect(statuses).toEqual(['connecting', 'connected', 'closed']);
    }
  });
});

describe('processing hooks', () => {
  const ended: string[] = [];
  const release = new Signal();
  const handlers: Handlers = {
    value: () => 1,
    promise: () => Promise.resolve(1),
    stream: () => from([1, 2, 3]),
    empty: () => of(),
    'failing stream': () => throwError(() => ({ message: 'x' })),
    rejection: () => Promise.reject(new Error('x')),
    'event:event': () => release.resolve(),
    'event:failing event': () => {
      throw new Error('x');
    },
    left: () => NEVER,
  };

  it('run once at the start and once at the end, however the handler ends', async () => {
    const server = harness.newServer();
    addHandlers(server, handlers);
    const started: string[] = [];
    const pattern = (context: unknown): string => (context as ClusterPubSubContext).getPattern();
    server.setOnProcessingStartHook((_transport, context, done) => {
      started.push(pattern(context));
      void done();
    });
    server.setOnProcessingEndHook((_transport, context) => void ended.push(pattern(context)));
    await listen(server);
    const client = harness.client();
    const requests = ['value', 'promise', 'stream', 'empty', 'failing stream', 'rejection'];
    await Promise.all(requests.map((name) => outcome(client.send(name, 1))));
    await lastValueFrom(client.emit('event', 1));
    await lastValueFrom(client.emit('failing event', 1));
    const subscription = client.send('left', 1).subscribe();
    await eventually(() => started.includes('left'), 'the handler runs');
    subscription.unsubscribe();
    const all = [...requests, 'event', 'failing event', 'left'].sort();
    await eventually(() => ended.length >= all.length, 'all hooks have run');
    expect([...started].sort()).toEqual(all);
    expect([...ended].sort()).toEqual(all);
  });

  it('may return nothing, wait, or fail', async () => {
    const server = harness.newServer();
    addHandlers(server, { a: (data: unknown) => data, 'event:a': () => undefined });
    await listen(server);
    const client = harness.client();
    type Hook = (transport: unknown, context: BaseRpcContext, done: () => Promise<unknown>) => unknown;
    const answerWith = (hook: Hook) => {
      server.setOnProcessingStartHook(hook as never);
      return outcome(client.send('a', 1));
    };
    expect(await answerWith((_t, _c, done) => void done())).toEqual({ values: [1] });
    expect(
      await answerWith(async (_t, _c, done) => {
        await Promise.resolve();
        await done();
      }),
    ).toEqual({ values: [1] });
    const error = { status: 'error', message: 'Internal server error' };
    expect(
      await answerWith(() => {
        throw new Error('a broken hook');
      }),
    ).toEqual({ values: [], error });
    expect(await answerWith(() => Promise.reject(new Error('a broken hook')))).toEqual({ values: [], error });
    server.setOnProcessingStartHook((_t, _c, done) => void done());
    server.setOnProcessingEndHook(() => {
      throw new Error('a broken end hook');
    });
    expect(await outcome(client.send('a', 1))).toEqual({ values: [1] });
    expect(logged.join('\n')).toContain('a broken end hook');
  });

  it('are not missed in a Nest that has none yet (11.0.0 to 11.1.3)', async () => {
    const server = harness.newServer();
    Object.assign(server, { onProcessingStartHook: undefined, onProcessingEndHook: undefined });
    const received: unknown[] = [];
    addHandlers(server, {
      a: (data: unknown) => data,
      'event:a': (data: unknown) => void received.push(data),
    });
    await listen(server);
    const client = harness.client();
    expect(await outcome(client.send('a', 1))).toEqual({ values: [1] });
    await lastValueFrom(client.emit('a', 2));
    await eventually(() => received.length === 1, 'the event was handled');
    const end = instrumentServer(server);
    expect(await outcome(client.send('a', 3))).toEqual({ values: [3] });
    end();
    expect(await outcome(client.send('a', 4))).toEqual({ values: [4] });
  });
});
