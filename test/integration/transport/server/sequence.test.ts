import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, range, toArray } from 'rxjs';
import type { Gap } from '../../../../src/pubsub/common/events.js';
import { transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const harness = transports();

/** An event of ours as it was on the wire, or as it would be with another number. */
interface Wire {
  readonly pattern: string;
  readonly data: unknown;
  readonly _cps: { readonly s: string };
}

const withNumber = (wire: Wire, add: number): string => {
  const [publisher = '', epoch = '', seq = ''] = wire._cps.s.split('.');
  const stamp = `${publisher}.${epoch}.${(parseInt(seq, 36) + add).toString(36)}`;
  return JSON.stringify({ ...wire, data: add, _cps: { s: stamp } });
};

/** What one `emit` puts on the wire, once a handler has taken it. */
async function emitted(pattern: string, data: unknown): Promise<Wire> {
  const received = new Signal<string>();
  const redis = harness.redis();
  await redis.subscribe(harness.prefix + pattern);
  redis.on('message', (_channel, text) => received.resolve(text));
  await lastValueFrom(harness.client().emit(pattern, data));
  const text = await received.promise;
  redis.disconnect();
  return JSON.parse(text) as Wire;
}

describe('a server', () => {
  it('runs a handler once, though the message comes twice', async () => {
    const got: unknown[] = [];
    const end = new Signal();
    const server = await harness.server({
      'event:e': (data: unknown) => (data === 'end' ? end.resolve() : got.push(data)),
    });
    const wire = await emitted('e', 0);
    const engine = harness.client();
    await engine.connect();
    const publish = (text: string) => engine.unwrap().publish(`${harness.prefix}e`, text);
    await publish(withNumber(wire, 0));
    await publish(withNumber(wire, 1));
    await publish(withNumber(wire, 1));
    await publish('"end"');
    await end.promise;
    expect(got).toEqual([0, 1]);
    expect(server.unwrap().metrics()).toMatchObject({ duplicates: 2, missed: 0 });
  });

  it('reports what does not come, and how many', async () => {
    // A channel of its own: what the test before has published may still be on the bus.
    const gap = new Signal<Gap>();
    const got: unknown[] = [];
    const server = await harness.server({ 'event:missing': (data: unknown) => void got.push(data) });
    server.on('gap', (one) => gap.resolve(one));
    const wire = await emitted('missing', 0);
    const engine = harness.client();
    await engine.connect();
    await engine.unwrap().publish(`${harness.prefix}missing`, withNumber(wire, 4));
    expect(await gap.promise).toMatchObject({
      kind: 'channel',
      missed: 3,
      reason: 'sequence',
    });
    expect(String((await gap.promise).names)).toBe(`${harness.prefix}missing`);
  });
});

it.each([true, false])(
  'nothing is missing or repeated in normal operation, with sequence: %s',
  async (sequence) => {
    const events: unknown[] = [];
    const end = new Signal();
    const server = await harness.server(
      {
        sum: (numbers: number[]) => numbers.reduce((a, b) => a + b, 0),
        stream: () => range(0, 100),
        bytes: (bytes: Buffer) => bytes,
        'wild.*': (data: unknown) => data,
        'event:seen': (n: unknown) => (n === 'end' ? end.resolve() : void events.push(n)),
      },
      { sequence },
    );
    const client = harness.client({ sequence });
    for (let n = 0; n < 50; n += 1) {
      expect(await lastValueFrom(client.send('sum', [n, 1]))).toBe(n + 1);
      expect(await lastValueFrom(client.send('wild.card', n))).toBe(n);
      expect(await lastValueFrom(client.send('bytes', Buffer.from([n, 0])))).toEqual(Buffer.from([n, 0]));
      void client.emit('seen', n);
      // Raw text on the same channel takes no number, so that none is missing.
      await client.unwrap().publish(`${harness.prefix}seen`, '"raw"');
    }
    expect(await lastValueFrom(client.send('stream', 1).pipe(toArray()))).toHaveLength(100);
    await lastValueFrom(client.emit('seen', 'end'));
    await end.promise;
    expect(events.filter((n) => n !== 'raw')).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(events).toHaveLength(100);
    for (const one of [server, client]) {
      expect(one.unwrap().metrics()).toMatchObject({ gaps: 0, missed: 0, duplicates: 0 });
    }
  },
);
