import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RespDecoder } from '../../../../src/pubsub/resp/decoder.js';
import { RedisReplyError, type Reply } from '../../../../src/pubsub/resp/reply.js';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('RespDecoder', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it.each<[string, string, unknown]>([
    ['a simple string', '+OK\r\n', 'OK'],
    ['an empty simple string', '+\r\n', ''],
    ['an integer', ':1234567890123\r\n', 1_234_567_890_123],
    ['a negative integer', ':-42\r\n', -42],
    ['a bulk string', '$5\r\nhello\r\n', 'hello'],
    ['an empty bulk string', '$0\r\n\r\n', ''],
    ['a bulk string that holds line ends', '$6\r\n\r\n$5\r\n\r\n', '\r\n$5\r\n'],
    ['the null of RESP2 strings', '$-1\r\n', null],
    ['the null of RESP2 arrays', '*-1\r\n', null],
    ['an array', '*3\r\n$1\r\na\r\n:2\r\n$-1\r\n', ['a', 2, null]],
    ['an empty array', '*0\r\n', []],
    ['nested arrays', '*2\r\n*2\r\n:1\r\n*1\r\n:2\r\n*0\r\n', [[1, [2]], []]],
    ['a push frame', '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nd\r\n', ['message', 'c', 'd']],
    ['a set', '~2\r\n:1\r\n:2\r\n', [1, 2]],
    ['a map, flat', '%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n', ['a', 1, 'b', 2]],
    ['the null of RESP3', '_\r\n', null],
    ['true', '#t\r\n', 1],
    ['false', '#f\r\n', 0],
    ['a double', ',-1.5e3\r\n', -1_500],
    [
      'a big number, as it is written',
      '(3492890328409238509324850943850943825024385\r\n',
      '3492890328409238509324850943850943825024385',
    ],
    ['a verbatim string, without its format', '=8\r\ntxt:some\r\n', 'some'],
    ['a reply without the attributes before it', '|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n', 'a'],
    ['an array without the attributes in it', '*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:2\r\n|0\r\n:3\r\n', [2, 3]],
    ['arrays as deep as Redis nests them', `${'*1\r\n'.repeat(3)}:1\r\n`, [[[1]]]],
  ])('reads %s', (_what, bytes, expected) => {
    expect(decode(bytes)).toEqual([expected]);
    expect(decode(...[...Buffer.from(bytes)].map((byte) => Buffer.from([byte])))).toEqual([expected]);
  });

  it.each([
    ['an error', '-MOVED 3999 127.0.0.1:6381\r\n', 'MOVED', 'MOVED 3999 127.0.0.1:6381'],
    ['an error of one word', '-ERR\r\n', 'ERR', 'ERR'],
    ['a bulk error', '!21\r\nSYNTAX invalid syntax\r\n', 'SYNTAX', 'SYNTAX invalid syntax'],
  ])('reads %s', (_what, bytes, kind, message) => {
    const [error] = collect((decoder) => decoder.write(Buffer.from(bytes)));
    expect(error).toBeInstanceOf(RedisReplyError);
    expect(error).toMatchObject({ kind, message });
  });

  it('leaves the bytes of strings as they are', () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x80]);
    const [reply] = collect((decoder) =>
      decoder.write(Buffer.concat([Buffer.from('$5\r\n'), bytes, Buffer.from('\r\n')])),
    );
    expect(reply).toEqual(bytes);
  });

  const stream = Buffer.from(
    '+OK\r\n:-12\r\n$5\r\nhel\rl\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:7\r\n-ERR no\r\n' +
      '>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$0\r\n\r\n%1\r\n+k\r\n#t\r\n_\r\n=6\r\ntxt:hi\r\n' +
      '|1\r\n+a\r\n:1\r\n~1\r\n,2.5\r\n!5\r\nERR x\r\n(12\r\n',
  );
  const whole = decode(stream);

  it('returns the same replies wherever the stream is cut in two', () => {
    for (let cut = 1; cut < stream.length; cut += 1) {
      expect(decode(stream.subarray(0, cut), stream.subarray(cut))).toEqual(whole);
    }
  });

  it('returns the same replies wherever the stream is cut in three', () => {
    for (let first = 1; first < stream.length - 1; first += 3) {
      for (let second = first + 1; second < stream.length; second += 5) {
        const cuts = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
        expect(decode(...cuts)).toEqual(whole);
      }
    }
  });

  it('returns the same replies when bytes arrive one by one', () => {
    expect(decode(...[...stream].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it('returns replies as soon as they are complete', () => {
    const replies: Reply[] = [];
    const decoder = new RespDecoder((reply) => replies.push(reply));
    decoder.write(Buffer.from(':1\r\n:2\r\n:3\r'));
    expect(replies).toEqual([1, 2]);
    decoder.write(Buffer.from('\n'));
    expect(replies).toEqual([1, 2, 3]);
  });

  it('does not join a large payload again with each chunk', () => {
    const concat = jest.spyOn(Buffer, 'concat');
    const payload = Buffer.alloc(20 * MiB, 'x');
    const head = `>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$${payload.length}\r\n`;
    const [first] = collect((decoder) => {
      decoder.write(Buffer.from(head));
      for (let at = 0; at < payload.length; at += 16 * KiB) {
        decoder.write(payload.subarray(at, at + 16 * KiB));
      }
      decoder.write(Buffer.from('\r\n:1\r\n'));
    });
    expect((first as Buffer[])[2]).toHaveLength(payload.length);
    expect(concat.mock.calls.length).toBeLessThan(5);
  });

  it('joins a large payload once also when its header comes in pieces', () => {
    const concat = jest.spyOn(Buffer, 'concat');
    const replies = collect((decoder) => {
      for (const byte of Buffer.from(`$${MiB}\r\n`)) decoder.write(Buffer.from([byte]));
      concat.mockClear();
      for (let sent = 0; sent < MiB; sent += KiB) decoder.write(Buffer.alloc(KiB));
      decoder.write(Buffer.from('\r\n'));
    });
    expect(replies).toHaveLength(1);
    expect(concat.mock.calls.length).toBeLessThan(4);
  });

  it('tells the pushes of RESP3 from replies, also when they come in pieces', () => {
    const pushes: boolean[] = [];
    const decoder = new RespDecoder((_reply, isPush) => pushes.push(isPush));
    for (const byte of Buffer.from(':1\r\n>1\r\n*1\r\n:2\r\n*1\r\n:3\r\n'))
      decoder.write(Buffer.from([byte]));
    decoder.write(Buffer.from('>1\r\n:2\r\n:3\r\n'));
    expect(pushes).toEqual([false, true, false, true, false]);
  });

  it.each([
    ['an unknown type', 'HTTP/1.1 400 Bad Request\r\n'],
    ['a length that is no number', '$five\r\nhello\r\n'],
    ['an empty length', '$\r\n\r\n'],
    ['an integer that is no number', ':1.5\r\n'],
    ['a number that does not end', `:${'1'.repeat(30)}`],
    ['a line that does not end', `+${'x'.repeat(70_000)}`],
    ['a line with half an end', '+OK\rx'],
    ['a string that is longer than its length', '$2\r\nabc\r\n'],
    ['arrays in arrays without end', '*1\r\n'.repeat(4_000)],
    ['maps in pushes without end', '>1\r\n%1\r\n'.repeat(4_000)],
    ['more elements than a reply may have', '*99999999999\r\n'],
    ['more elements in all than a reply may have', '*9\r\n' + '*1000000\r\n'.repeat(5)],
    ['a string that is longer than Redis takes', '$600000000\r\n'],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decode(bytes)).toThrow(/invalid reply/);
    expect(() => decode(...[...Buffer.from(bytes)].map((byte) => Buffer.from([byte])))).toThrow(
      /invalid reply/,
    );
  });
});

describe('channel messages, for a sink that reads them in place', () => {
  const stream = Buffer.from(
    '*3\r\n$8\r\nsmessage\r\n$2\r\nch\r\n$5\r\nhel\rl\r\n' +
      '*3\r\n$10\r\nssubscribe\r\n$2\r\nch\r\n:1\r\n' +
      '>3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n' +
      '*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nch\r\n$1\r\nx\r\n' +
      '*3\r\n$8\r\nsmessage\r\n$2\r\nch\r\n$12\r\nhello, world\r\n',
  );
  const all = [
    'smessage ch hel\rl',
    ['ssubscribe', 'ch', 1],
    'message  ',
    ['pmessage', 'c*', 'ch', 'x'],
    'smessage ch hello, world',
  ];

  function taken(...chunks: Buffer[]): unknown[] {
    const found: unknown[] = [];
    const decoder = new RespDecoder(
      (reply) => found.push(readable(reply)),
      (type, buffer, channelStart, channelEnd, dataStart, dataEnd) =>
        found.push(
          `${type} ${buffer.toString('latin1', channelStart, channelEnd)} ` +
            buffer.toString('latin1', dataStart, dataEnd),
        ),
    );
    for (const chunk of chunks) decoder.write(chunk);
    return found;
  }

  it('are recognized among all other replies, in order', () => {
    expect(taken(stream)).toEqual(all);
  });

  it('are complete wherever the stream is cut', () => {
    for (let cut = 1; cut < stream.length; cut += 1) {
      expect(taken(stream.subarray(0, cut), stream.subarray(cut))).toEqual(all);
    }
  });
});

function collect(write: (decoder: RespDecoder) => void): Reply[] {
  const replies: Reply[] = [];
  write(new RespDecoder((reply) => replies.push(reply)));
  return replies;
}

/** The replies of a stream that comes in these chunks, with strings as text. */
function decode(...chunks: (string | Buffer)[]): unknown[] {
  return collect((decoder) => {
    for (const chunk of chunks) decoder.write(Buffer.from(chunk));
  }).map(readable);
}

function readable(reply: Reply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(readable) : reply;
}
