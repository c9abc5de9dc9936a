import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, expect, it } from '@jest/globals';
import { interval, lastValueFrom } from 'rxjs';
import type { ClusterPubSubContext, ClusterPubSubDiagnostics } from '../../../src/transport/index.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

type Handled = ClusterPubSubDiagnostics['nestjs-cluster-pubsub:handled'];

const harness = transports();
const stops: (() => void)[] = [];

afterEach(() => stops.splice(0).forEach((stop) => stop()));

/** The handlers that ended, from now on. */
function handled(): Handled[] {
  const messages: Handled[] = [];
  const listener = (message: unknown): void => void messages.push(message as Handled);
  subscribe('nestjs-cluster-pubsub:handled', listener);
  stops.push(() => unsubscribe('nestjs-cluster-pubsub:handled', listener));
  return messages;
}

it('handlers that a closing server waits for are among those that run until they have ended', async () => {
  const answer = new Signal<number>();
  const server = await harness.server({ slow: () => answer.promise }, { shutdownGracePeriod: 10_000 });
  const asked = outcome(harness.client().send('slow', 1));
  await eventually(() => server.metrics().running === 1, 'it runs');
  const closed = server.close();
  expect(server.metrics()).toMatchObject({ running: 1, pubsub: { published: 0 } });
  answer.resolve(7);
  expect(await asked).toEqual({ values: [7] });
  await closed;
  expect(server.metrics()).toMatchObject({ running: 0, pubsub: undefined });
});

it('so they are while the server listens anew', async () => {
  const answer = new Signal<number>();
  const server = await harness.server({ slow: () => answer.promise }, { shutdownGracePeriod: 10_000 });
  const asked = outcome(harness.client().send('slow', 1));
  await eventually(() => server.metrics().running === 1, 'it runs');
  const closed = server.close();
  await listen(server);
  expect(server.metrics()).toMatchObject({ running: 1, pubsub: { desired: 2 } });
  answer.resolve(7);
  expect(await asked).toEqual({ values: [7] });
  await closed;
  expect(server.metrics()).toMatchObject({ running: 0, pubsub: { desired: 2 } });
});

it('each handler that is cut is reported as cancelled, once, and its end hook is called', async () => {
  const ended: string[] = [];
  const never = (): Promise<never> => new Promise(() => undefined);
  const server = harness.newServer({ shutdownGracePeriod: 20 });
  server.setOnProcessingEndHook((_id, context) => {
    ended.push((context as ClusterPubSubContext).getPattern());
  });
  addHandlers(server, {
    hang: never,
    deserted: never,
    stream: () => interval(1),
    'event:hung': never,
    'event:streamed': () => interval(1),
  });
  await listen(server);
  const messages = handled();
  const client = harness.client();
  const asked = Promise.all([outcome(client.send('hang', 1)), outcome(client.send('stream', 1))]);
  const deserter = client.send('deserted', 1).subscribe();
  await Promise.all([lastValueFrom(client.emit('hung', 1)), lastValueFrom(client.emit('streamed', 1))]);
  await eventually(() => server.metrics().running === 5, 'all run');
  deserter.unsubscribe();

  await server.close();
  expect((await asked).map(({ error }) => error)).toEqual([
    expect.objectContaining({ message: expect.stringContaining('shut down') }),
    expect.objectContaining({ message: expect.stringContaining('shut down') }),
  ]);
  expect(messages.map(({ pattern, outcome, error }) => [pattern, outcome, error]).sort()).toEqual([
    ['deserted', 'cancelled', undefined],
    ['hang', 'cancelled', undefined],
    ['hung', 'cancelled', undefined],
    ['stream', 'cancelled', undefined],
    ['streamed', 'cancelled', undefined],
  ]);
  expect(ended.sort()).toEqual(['deserted', 'hang', 'hung', 'stream', 'streamed']);
  expect(server.metrics()).toMatchObject({ running: 0, failed: 0 });
});

it('a handler that ends after it was cancelled is reported once all the same', async () => {
  const answer = new Signal<number>();
  const server = await harness.server(
    { late: () => answer.promise, 'event:tardy': () => answer.promise },
    { shutdownGracePeriod: 0 },
  );
  const messages = handled();
  const client = harness.client();
  const asked = outcome(client.send('late', 1));
  await lastValueFrom(client.emit('tardy', 1));
  await eventually(() => server.metrics().running === 2, 'both run');
  await server.close();
  answer.resolve(1);
  await asked;
  await new Promise(setImmediate);
  expect(messages.map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
});

it('a server that listens anew while it drains is connected, whatever becomes of the connection before', async () => {
  const answer = new Signal<number>();
  const server = await harness.server({ slow: () => answer.promise }, { shutdownGracePeriod: 10_000 });
  const heard: string[] = [];
  server.on('status', (status) => heard.push(status));
  const statuses: string[] = [];
  server.status.subscribe((status) => statuses.push(status));
  const asked = outcome(harness.client().send('slow', 1));
  await eventually(() => server.metrics().running === 1, 'it runs');
  const closed = server.close();
  await listen(server);
  answer.resolve(7);
  await asked;
  await closed;
  expect([statuses.at(-1), heard.at(-1)]).toEqual(['connected', 'connected']);
  await server.close();
  expect([statuses.at(-1), heard.at(-1)]).toEqual(['disconnected', 'closed']);
});
