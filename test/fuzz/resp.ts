import fc from 'fast-check';
import { RespDecoder } from '../../src/pubsub/resp/decoder.js';
import { InvalidReplyError, RedisReplyError, type Reply } from '../../src/pubsub/resp/reply.js';
import type { Outcome, Target } from './target.js';

/** A hang; one input takes some µs. */
const MAX_MS_PER_INPUT = 5_000;

type Value = number | string | null | readonly Value[];

const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.integer(),
    fc.string({ maxLength: 20 }),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
})).value;

/** Where a stream is cut, and which of its bytes become others. */
const stream = fc.record({
  values: fc.array(value, { minLength: 1, maxLength: 3 }),
  cuts: fc.array(fc.nat(200), { maxLength: 4 }),
  changes: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 }),
});

/** Replies of all types: cut anywhere they are read as they were written, damaged anywhere they are read or refused. */
export const respTarget: Target = {
  name: 'resp',
  run: async (inputs, seed): Promise<Outcome> => {
    const property = fc.property(stream, ({ values, cuts, changes }) => {
      const bytes = Buffer.concat(values.map(encode));
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      const before = performance.now();
      const [whole, pieces] = [read([bytes]), read(cut(bytes, cuts))];
      const time = performance.now() - before;
      if (time > MAX_MS_PER_INPUT) throw new Error(`${String(time)} ms for ${String(bytes.length)} bytes`);
      if (JSON.stringify(whole) !== JSON.stringify(pieces)) throw new Error('the cuts make a difference');
      if (changes.length === 0 && JSON.stringify(whole) !== JSON.stringify(values)) {
        throw new Error(`${JSON.stringify(values)} was read as ${JSON.stringify(whole)}`);
      }
    });
    const details = fc.check(property, { numRuns: inputs, seed });
    return { inputs, problems: details.failed ? [fc.defaultReportMessage(details) ?? 'failed'] : [] };
  },
};

function encode(one: Value): Buffer {
  if (typeof one === 'number') return Buffer.from(`:${String(one)}\r\n`);
  if (one === null) return Buffer.from('$-1\r\n');
  if (typeof one === 'string') return Buffer.from(`$${String(Buffer.byteLength(one))}\r\n${one}\r\n`);
  return Buffer.concat([Buffer.from(`*${String(one.length)}\r\n`), ...one.map(encode)]);
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((at) => at % bytes.length).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

/** The replies up to the first that is refused; any other error is thrown. */
function read(chunks: readonly Buffer[]): unknown[] {
  const replies: unknown[] = [];
  const decoder = new RespDecoder((reply) => replies.push(readable(reply)));
  try {
    for (const chunk of chunks) decoder.write(chunk);
  } catch (error) {
    if (!(error instanceof InvalidReplyError)) throw error;
  }
  return replies;
}

function readable(reply: Reply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof RedisReplyError) return { error: reply.message };
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(readable) : reply;
}
