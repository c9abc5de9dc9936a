import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { lastValueFrom, timeout } from 'rxjs';
import { ClusterPubSubClient, ClusterPubSubServer } from '../../src/transport/index.js';
import { FakeNode } from '../support/fake-node.js';
import { escaped, type Outcome, type Target } from './target.js';

const BATCH = 500;
/** A number that is so much higher is not the next: whoever forges that replaces a message. */
const MAX_SEEN = 50;
const REQUESTS_PER_BATCH = 10;
const REQUEST_TIMEOUT_MS = 5_000;

/** A field of a packet that Nest or this package reads, with any value. */
const field = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    'echo',
    'paid',
    '_cps:in:x:{0}',
    '_cps:in:',
    'echo.reply',
    '__proto__',
    'constructor',
    1,
    -1,
    null,
  ),
);
const fields = fc.record(
  { r: field, c: field, h: field, x: field, n: field, k: field, w: field, s: field, bin: field },
  { requiredKeys: [] },
);
const packet = fc.record(
  { pattern: field, data: field, id: field, response: field, err: field, isDisposed: field, _cps: fields },
  { requiredKeys: [] },
);

type Input =
  | { readonly kind: 'packet'; readonly packet: unknown }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'deep'; readonly levels: number }
  | { readonly kind: 'binary'; readonly head: unknown; readonly length: number }
  /** A message that was seen, with another number. */
  | { readonly kind: 'stamp'; readonly which: number; readonly step: number }
  /** A request or event that was seen, with a byte changed. */
  | { readonly kind: 'damage'; readonly which: number; readonly at: number; readonly byte: number };

const input: fc.Arbitrary<Input> = fc.oneof(
  fc.record({ kind: fc.constant('packet' as const), packet }),
  fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 60 }) }),
  fc.record({ kind: fc.constant('deep' as const), levels: fc.nat(3_000) }),
  fc.record({ kind: fc.constant('binary' as const), head: packet, length: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant('stamp' as const),
    which: fc.nat(),
    step: fc.oneof(
      fc.integer({ min: -5, max: -1 }),
      fc.integer({ min: 2 * MAX_SEEN, max: 1_000 }),
      fc.integer({ min: 1_000, max: 2 ** 40 }),
    ),
  }),
  fc.record({ kind: fc.constant('damage' as const), which: fc.nat(), at: fc.nat(), byte: fc.nat(255) }),
);

/** A server and a client, to whose channels a stranger publishes anything, while they exchange requests and events. */
export const packetTarget: Target = {
  name: 'packets',
  run: async (inputs, seed): Promise<Outcome> => {
    Logger.overrideLogger(false);
    const node = await new FakeNode().start();
    const options = {
      nodes: [{ host: '127.0.0.1', port: node.port }],
      clusterOptions: { redisOptions: { protocol: 2 as const } },
      requestTimeout: REQUEST_TIMEOUT_MS,
    };
    const [server, client] = [new ClusterPubSubServer(options), new ClusterPubSubClient(options)];
    const events = new Set<unknown>();
    const seen: { channel: string; data: Buffer }[] = [];
    node.onPublish = (channel, data) => {
      if (seen.push({ channel, data }) > MAX_SEEN) seen.shift();
    };
    let [sent, right] = [0, 0];
    const problems = await escaped(async () => {
      server.addHandler('echo', async (data: unknown) => data, false);
      server.addHandler('paid', async (data: unknown) => void events.add(data), true);
      await new Promise((resolve) => void server.listen(resolve));
      await client.connect();
      for (let done = 0; done < inputs; done += BATCH) {
        const traffic = Array.from({ length: REQUESTS_PER_BATCH }, async (_, index) => {
          const token = `token ${String(done + index)}`;
          sent += 2;
          await lastValueFrom(client.emit('paid', token), { defaultValue: undefined });
          const reply: unknown = await lastValueFrom(
            client.send('echo', token).pipe(timeout(2 * REQUEST_TIMEOUT_MS)),
          ).catch((error: unknown) => error);
          right += Number(reply === token);
          return token;
        });
        const count = Math.min(BATCH, inputs - done);
        for (const one of fc.sample(input, { numRuns: count, seed: seed + done })) {
          publish(node, one, seen);
        }
        const tokens = await Promise.all(traffic);
        right += tokens.filter((token) => events.has(token)).length;
        events.clear();
      }
      await client.close();
      await server.close();
    });
    await node.stop();
    return { inputs, problems, legitimate: { sent, right } };
  },
};

function publish(node: FakeNode, one: Input, seen: readonly { channel: string; data: Buffer }[]): void {
  if (one.kind === 'stamp' || one.kind === 'damage') {
    const copied = seen[one.which % Math.max(seen.length, 1)];
    // A damaged reply may have the id of another request: whoever knows ids and inbox can answer in its place.
    if (copied !== undefined && !(one.kind === 'damage' && copied.channel.includes('_cps:in:'))) {
      deliver(node, [copied.channel], bytesOf(one, copied.data));
    }
    return;
  }
  const channels = new Set([...node.subscribed('message'), ...node.subscribed('smessage')]);
  deliver(node, channels, bytesOf(one, Buffer.alloc(0)));
}

function deliver(node: FakeNode, channels: Iterable<string>, data: Buffer): void {
  for (const channel of channels) {
    node.deliver('message', channel, data);
    node.deliver('smessage', channel, data);
  }
}

function bytesOf(one: Input, copied: Buffer): Buffer {
  switch (one.kind) {
    case 'packet':
      return Buffer.from(JSON.stringify(one.packet));
    case 'bytes':
      return Buffer.from(one.bytes);
    case 'deep':
      return Buffer.from(`{"data":${'['.repeat(one.levels)}${']'.repeat(one.levels)}}`);
    case 'binary': {
      const head = Buffer.from(JSON.stringify(one.head));
      const prefix = Buffer.from([0, 0, 0, one.length >> 8, one.length & 0xff]);
      return Buffer.concat([prefix, head, Buffer.from('bytes')]);
    }
    case 'stamp': {
      const text = copied.toString();
      return Buffer.from(
        text.replace(/\.([0-9a-z]+)"}}$/, (_, seq: string) => {
          const forged = Math.max(0, parseInt(seq, 36) + one.step);
          return `.${forged.toString(36)}"}}`;
        }),
      );
    }
    case 'damage': {
      const bytes = Buffer.from(copied);
      // Not in the stamp: a damaged number may be the next, see above.
      const end = bytes.lastIndexOf('"s":"');
      bytes[one.at % (end > 0 ? end : bytes.length)] = one.byte;
      return bytes;
    }
  }
}
