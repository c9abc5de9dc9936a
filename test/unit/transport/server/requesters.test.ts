import { beforeEach, describe, expect, it } from '@jest/globals';
import { Requesters, RequestIdWindow } from '../../../../src/transport/server/requesters.js';

const WINDOW = 8_192;
const id = (count: number): string => count.toString(36);

let seen: RequestIdWindow;

beforeEach(() => {
  seen = new RequestIdWindow(() => undefined);
});

describe('the ids of a client of ours, which counts', () => {
  it('are known when they come again', () => {
    for (const count of [0, 1, 2, 35, 36, 37]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
    }
  });

  it('are distinguished in any order, and with gaps', () => {
    for (const count of [7, 3, 100, 5, 4_000, 6]) expect(seen.isFirst(id(count))).toBe(true);
    for (const count of [7, 3, 100, 5, 4_000, 6]) expect(seen.isFirst(id(count))).toBe(false);
    expect(seen.isFirst(id(4))).toBe(true);
  });

  it('are known for so many requests back, and then forgotten', () => {
    for (let count = 0; count < WINDOW; count += 1) seen.isFirst(id(count));
    expect(seen.isFirst(id(0))).toBe(false);
    expect(seen.isFirst(id(WINDOW))).toBe(true);
    expect(seen.isFirst(id(0))).toBe(true);
    expect(seen.isFirst(id(1))).toBe(false);
  });

  it('are new after a leap, however long', () => {
    for (let count = 0; count < 100; count += 1) seen.isFirst(id(count));
    for (const count of [WINDOW + 50, 5 * WINDOW + 50, 2 ** 20]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
      expect(seen.isFirst(id(count - 1))).toBe(true);
    }
  });

  it.each([5_000, 500_000, 3e14])('are still known when one was forged that is %i ahead', (ahead) => {
    for (let count = 0; count < 10; count += 1) seen.isFirst(id(count));
    expect(seen.isFirst(id(ahead))).toBe(true);
    expect(seen.isFirst(id(ahead))).toBe(false);
    for (let count = 5; count < 20; count += 1) expect(seen.isFirst(id(count))).toBe(count >= 10);
    for (let count = 5; count < 20; count += 1) expect(seen.isFirst(id(count))).toBe(false);
  });

  it('cannot be silenced by one that is forged', () => {
    seen.isFirst(id(1));
    expect(seen.isFirst('zzzzzzzzzz')).toBe(true);
    expect(seen.isFirst('zzzzzzzzzz')).toBe(false);
    for (const count of [2, 3]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
    }
  });
});

describe('the ids of a client of ours, with its own id before the count', () => {
  it('are those of one window', () => {
    for (const count of [0, 1, 36, 4_000, 7]) expect(seen.isFirst(`aZ09_-aZ09.${id(count)}`)).toBe(true);
    for (const count of [0, 1, 36, 4_000, 7]) expect(seen.isFirst(`aZ09_-aZ09.${id(count)}`)).toBe(false);
    for (let count = 4_001; count < 4_001 + WINDOW; count += 1) seen.isFirst(`aZ09_-aZ09.${id(count)}`);
    expect(seen.isFirst(`aZ09_-aZ09.${id(4_001)}`)).toBe(false);
    expect(seen.isFirst(`aZ09_-aZ09.${id(4_000)}`)).toBe(true);
  });
});

describe('ids of another form', () => {
  it.each([
    '',
    '-1',
    '01',
    'A',
    'order 7',
    '0.5',
    'z'.repeat(11),
    '5f3c1d2e-aa',
    'aZ09_-aZ09.',
    'aZ09_-aZ09.01',
    'ž',
  ])('are known when they come again: "%s"', (other) => {
    expect(seen.isFirst(other)).toBe(true);
    expect(seen.isFirst(other)).toBe(false);
    expect(seen.isFirst('1')).toBe(true);
  });

  it('are remembered by the hundred, and not without limit', () => {
    for (let count = 0; count < 257; count += 1) seen.isFirst(`order ${String(count)}`);
    expect(seen.isFirst('order 1')).toBe(false);
    for (let count = 2_000; count < 5_000; count += 1) seen.isFirst(`order ${String(count)}`);
    expect(seen.isFirst('order 1')).toBe(true);
  });
});

describe('a cancel', () => {
  const stoppable = (): { stopped: boolean; stop(): void } => ({
    stopped: false,
    stop() {
      this.stopped = true;
    },
  });

  it('stops a request that runs', () => {
    const requester = new Requesters().at('inbox');
    const running = stoppable();
    requester.running.set('1', running);
    requester.cancel('1');
    expect(running.stopped).toBe(true);
  });

  it('of a request that an asynchronous deserializer holds drops it', () => {
    const requester = new Requesters().at('inbox');
    const held = requester.hold();
    requester.cancel('1');
    expect(requester.isCancelled('1', held)).toBe(true);
    expect(requester.isCancelled('2', held)).toBe(false);
    requester.release();
  });

  it('of no request does not touch a later one', () => {
    const requester = new Requesters().at('inbox');
    requester.cancel('1');
    expect(requester.isFirst('1')).toBe(true);
    expect(requester.isCancelled('1', requester.hold())).toBe(false);
    requester.cancel('2');
    expect(requester.isCancelled('2', requester.hold())).toBe(false);
  });

  it('is remembered for as many as are held, and no longer', () => {
    const requester = new Requesters().at('inbox');
    const held = [requester.hold(), requester.hold()];
    ['1', '2', '3'].forEach((one) => requester.cancel(one));
    expect(['1', '2', '3'].map((one) => requester.isCancelled(one, held[0]))).toEqual([true, true, false]);
    held.forEach(() => requester.release());
    expect(requester.isCancelled('1', held[0])).toBe(false);
  });

  it('of an unknown requester does not make it known', () => {
    const requesters = new Requesters();
    expect(requesters.find('inbox')).toBeUndefined();
    expect(requesters.at('inbox')).toBe(requesters.find('inbox'));
  });
});

describe('the memory of all requesters', () => {
  it('keeps one with a running request, and forgets the ids of those that were not seen for longest', () => {
    const requesters = new Requesters();
    const [busy, idle] = [requesters.at('busy'), requesters.at('idle')];
    busy.running.set('1', { stop: () => undefined });
    for (const one of [busy, idle]) one.isFirst('7');
    for (let index = 0; index < 40_000; index += 1) {
      const passing = requesters.at(`inbox ${String(index)}`);
      passing.isFirst('1');
      expect(passing.isFirst('1')).toBe(false);
    }
    expect(requesters.at('busy')).toBe(busy);
    expect(requesters.at('idle')).not.toBe(idle);
  });

  it('is enough for 5,000 clients of ours', () => {
    const requesters = new Requesters();
    const clients = Array.from({ length: 5_000 }, (_, index) => `_cps:in:client${String(index)}:{12}`);
    for (const client of clients) requesters.at(client).isFirst('1');
    expect(clients.filter((client) => requesters.at(client).isFirst('1'))).toEqual([]);
  });
});
