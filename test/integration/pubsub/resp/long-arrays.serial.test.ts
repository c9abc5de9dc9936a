import { expect, it } from '@jest/globals';
import { RespDecoder } from '../../../../src/pubsub/resp/decoder.js';
import type { Reply } from '../../../../src/pubsub/resp/reply.js';

const CHUNK_BYTES = 65_536;

it('reads a long array in many chunks at the cost of one: 400,000 names take at most twice as long', () => {
  const names = Array.from({ length: 400_000 }, (_, index) => `channel.${String(index).padStart(8, '0')}`);
  const bytes = Buffer.from(
    `*${String(names.length)}\r\n${names.map((name) => `$16\r\n${name}\r\n`).join('')}`,
  );
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) chunks.push(bytes.subarray(at, at + CHUNK_BYTES));
  const read = (pieces: readonly Buffer[]): { readonly reply: Reply; readonly ms: number } => {
    const replies: Reply[] = [];
    const decoder = new RespDecoder((one) => replies.push(one));
    const before = performance.now();
    pieces.forEach((piece) => decoder.write(piece));
    return { reply: replies[0]!, ms: performance.now() - before };
  };
  expect((read(chunks).reply as readonly Buffer[]).map(String)).toEqual(names);

  const runs = [1, 2, 3, 4, 5];
  const atOnce = Math.min(...runs.map(() => read([bytes]).ms));
  expect(Math.min(...runs.map(() => read(chunks).ms))).toBeLessThan(atOnce * 2);
});
