import { expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { ClusterPubSubClient } from '../../../../src/transport/index.js';
import { engines } from '../../../support/engines.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { outcome, transports } from '../../../support/transports.js';
import { eventually, Signal } from '../../../support/waiting.js';

// What a program can do that may PUBLISH and has seen messages of ours.
const harness = transports();
const stranger = engines();
const plain = plainConnections();

interface Wire {
  readonly id?: string;
  readonly _cps: { readonly s: string };
}

const later = (stamp: string, by: number): string => {
  const [publisher, epoch, seq] = stamp.split('.') as [string, string, string];
  return `${publisher}.${epoch}.${(parseInt(seq, 36) + by).toString(36)}`;
};

/** The messages of one of our channels, as the stranger sees them. */
async function spy(client: ClusterPubSubClient, channel: string): Promise<Wire[]> {
  await client.connect();
  const seen: Wire[] = [];
  const redis = plain(client.unwrap().nodeOf(channel));
  redis.on('message', (_channel, text) => seen.push(JSON.parse(text) as Wire));
  redis.on('smessage', (_channel, text) => seen.push(JSON.parse(text) as Wire));
  await redis.subscribe(channel);
  await redis.ssubscribe(channel);
  return seen;
}

const inboxOf = (client: ClusterPubSubClient): string =>
  String([...client.unwrap().shardChannels.keys()].find((name) => String(name).includes('_cps:in:')));

it.each([5, 900, 50_000, 99_000_000])(
  'a stamp that is forged %i numbers ahead hides no event',
  async (ahead) => {
    const pattern = `event-${String(ahead)}`;
    const channel = harness.prefix + pattern;
    const handled: unknown[] = [];
    await harness.server({ [`event:${pattern}`]: (data: unknown) => void handled.push(data) });
    const client = harness.client();
    const seen = await spy(client, channel);
    const emit = (data: number): Promise<unknown> => lastValueFrom(client.emit(pattern, data));
    for (let data = 0; data < 5; data += 1) await emit(data);
    await eventually(() => seen.length === 5, 'the stranger sees the events');
    for (const step of [0, 1]) {
      const forged = { pattern, data: 'forged', _cps: { s: later(seen[4]!._cps.s, ahead + step) } };
      await stranger().publish(channel, JSON.stringify(forged));
    }
    for (let data = 5; data < 50; data += 1) await emit(data);
    await eventually(() => handled.includes(49), 'the last event is handled');
    expect(handled.filter((data) => data !== 'forged')).toEqual(
      Array.from({ length: 50 }, (_, data) => data),
    );
  },
);

it('numbers of a stranger on a reply inbox fail no request; a hole in those of a server does', async () => {
  const running = new Signal();
  const done = new Signal<string>();
  await harness.server({
    '{one}ping': () => 'pong',
    '{one}slow': () => {
      running.resolve();
      return done.promise;
    },
  });
  const client = harness.client();
  expect(await lastValueFrom(client.send('{one}ping', 1))).toBe('pong');
  const inbox = inboxOf(client);
  const replies = await spy(client, inbox);
  expect(await lastValueFrom(client.send('{one}ping', 1))).toBe('pong');
  await eventually(() => replies.length > 0, 'the stranger sees a reply');
  const gaps: unknown[] = [];
  client.on('gap', (gap) => gaps.push(gap));

  const publish = async (stamp: string): Promise<unknown> =>
    stranger().spublish(inbox, JSON.stringify({ id: 'nobody', _cps: { s: stamp } }));
  const request = outcome(client.send('{one}slow', 1));
  await running.promise;
  await publish('stranger.0.0');
  await publish('stranger.0.5');
  await eventually(() => gaps.length === 1, 'the hole is seen');
  expect(await lastValueFrom(client.send('{one}ping', 1))).toBe('pong');
  done.resolve('slow, but right');
  expect(await request).toEqual({ values: ['slow, but right'] });

  await harness.server({ '{one}never': () => new Promise(() => undefined) });
  const lost = outcome(client.send('{one}never', 1));
  await eventually(() => client.metrics().inFlight === 1, 'the request runs');
  await publish(later(replies.at(-1)!._cps.s, 7));
  expect(await lost).toMatchObject({ error: { code: 'GAP' } });
});

it('a forged cancel does not touch the requests that come after it', async () => {
  await harness.server({ echo: (data: unknown) => data });
  const client = harness.client();
  const requests = await spy(client, `${harness.prefix}echo`);
  expect(await lastValueFrom(client.send('echo', 0))).toBe(0);
  await eventually(() => requests.length > 0, 'the stranger sees a request');
  const [owner, count] = requests[0]!.id!.split('.') as [string, string];
  const inbox = inboxOf(client);
  for (let ahead = 1; ahead <= 20; ahead += 1) {
    const x = `${owner}.${(parseInt(count, 36) + ahead).toString(36)}`;
    await stranger().spublish(`${harness.prefix}echo`, JSON.stringify({ _cps: { r: inbox, x } }));
  }
  for (let data = 1; data <= 20; data += 1) {
    expect(await lastValueFrom(client.send('echo', data))).toBe(data);
  }
});
