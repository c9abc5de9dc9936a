import { describe, expect, it } from '@jest/globals';
import { deferred } from '../../../src/util/promises.js';
import { toRpcError } from '../../../src/transport/server/rpc-error.js';
import { errorLogText } from '../../../src/util/error-message.js';
import { MalformedMessageLog } from '../../../src/transport/telemetry/malformed-message-log.js';
import { RateLimitedLog } from '../../../src/transport/telemetry/rate-limited-log.js';

describe('RateLimitedLog', () => {
  it('writes one line an interval and kind, and says how many it left out', () => {
    const lines: string[] = [];
    const log = new RateLimitedLog((line) => lines.push(line), 1e9);
    log.log('one', 'A');
    log.log('one', 'A');
    log.log('other', 'B');
    expect(lines).toEqual(['one', 'other']);

    const eager = new RateLimitedLog((line) => lines.push(line), 0);
    eager.log('three');
    eager.log('four');
    expect(lines.slice(2)).toEqual(['three', 'four']);
  });

  it('tells what came last when the interval is over, and how many were like it: a burst may be all there is', async () => {
    const lines: [string, string?][] = [];
    const told = deferred<undefined>();
    const log = new RateLimitedLog((...line) => {
      lines.push(line);
      if (lines.length === 2) told.resolve(undefined);
    }, 20);
    for (let n = 0; n < 500; n += 1) log.log(`failed ${String(n)}`, '', `stack ${String(n)}`);
    expect(lines).toEqual([['failed 0', 'stack 0']]);
    await told.promise;
    expect(lines[1]).toEqual(['failed 499 (and 498 like it before)', 'stack 499']);
    log.log('failed again');
    expect(lines).toHaveLength(2); // another interval has begun
  });
});

describe('errorLogText', () => {
  it('is the text of an error and its code, and never a field of it', () => {
    expect(errorLogText(new Error('sold out'))).toBe('sold out');
    expect(errorLogText(Object.assign(new Error('sold out'), { code: 'SOLD', card: '4111' }))).toBe(
      'sold out (SOLD)',
    );
    expect(errorLogText({ status: 'error', code: 402, card: '4111' })).toBe('an error of the class Object');
    expect(errorLogText('sold out')).toBe('sold out');
    expect(errorLogText(undefined)).toBe('undefined');
    expect(errorLogText(10n)).toBe('10');
  });

  it('can be asked of anything', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const error of [proxy, Object.create(null), Symbol('odd'), () => 1, { constructor: undefined }]) {
      expect(typeof errorLogText(error)).toBe('string');
    }
  });
});

describe('MalformedMessageLog', () => {
  it('tells of a channel once, and counts all', () => {
    const lines: string[] = [];
    const log = new MalformedMessageLog({}, (line) => lines.push(line));
    log.report('orders', 12);
    log.report('orders', 13);
    log.report('users', 14);
    expect(log.count).toBe(3);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('12 bytes');
    expect(lines[0]).toContain('"orders"');
  });

  it('keeps to one line of bearable length, however the channel is named', () => {
    const lines: string[] = [];
    const log = new MalformedMessageLog({}, (line) => lines.push(line));
    log.report('orders\r\n[Nest] ERROR all is lost', 12);
    log.report('x'.repeat(1_000_000), 13);
    log.report(`${'x'.repeat(1_000_000)} and no end`, 14);
    expect(lines).toEqual([
      expect.stringContaining('"orders\\r\\n[Nest] ERROR all is lost"'),
      expect.stringContaining('13 bytes'),
    ]);
    for (const line of lines) {
      expect(line).not.toMatch(/[\r\n]/);
      expect(line.length).toBeLessThan(500);
    }
    expect(log.count).toBe(3);
  });
});

describe('toRpcError', () => {
  it('never tells the text of an Error', () => {
    const masked: unknown[] = [];
    const error = new Error('password is 1234');
    expect(toRpcError(error, (one) => masked.push(one))).toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    expect(masked).toEqual([error]);
  });

  it('tells what an RpcException says, and what filters have made', () => {
    const unmasked = (): never => {
      throw new Error('nothing to mask');
    };
    const exception = Object.assign(new Error(), { getError: () => 'sold out' });
    expect(toRpcError(exception, unmasked)).toEqual({ status: 'error', message: 'sold out' });
    expect(toRpcError({ code: 7 }, unmasked)).toEqual({ code: 7 });
  });

  it('does not let a falsy error pass for success', () => {
    expect(toRpcError(undefined, () => undefined)).toMatchObject({ status: 'error' });
  });
});
