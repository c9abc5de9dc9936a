import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TimeoutQueue } from '../../../src/util/timeout-queue.js';

interface Item {
  readonly name: string;
}

describe('TimeoutQueue', () => {
  let expired: string[];
  let timeouts: TimeoutQueue<Item>;

  const start = (name: string, duration: number): Item => {
    const item = { name };
    timeouts.start(item, duration);
    return item;
  };

  beforeEach(() => {
    jest.useFakeTimers();
    expired = [];
    timeouts = new TimeoutQueue((item) => expired.push(item.name));
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('expires items of different durations, each at its time', () => {
    start('slow', 500);
    start('fast', 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['fast']);
    jest.advanceTimersByTime(400);
    expect(expired).toEqual(['fast', 'slow']);
  });

  it('expires items of one duration in their order', () => {
    for (const name of ['a', 'b', 'c']) start(name, 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['a', 'b', 'c']);
  });

  it('uses one timer, however many items wait', () => {
    for (let i = 0; i < 100_000; i++) {
      start(String(i), 100 + (i % 3));
    }
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(200);
    expect(expired).toHaveLength(100_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([0, 1, 2, 3])('does not expire the one that was stopped, number %i of four', (stopped) => {
    const names = ['a', 'b', 'c', 'd'];
    const items = names.map((name) => start(name, 100));
    timeouts.stop(items[stopped]!, 100);
    timeouts.stop(items[stopped]!, 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(names.filter((_, index) => index !== stopped));
  });

  it('starts others after all were stopped', () => {
    for (const item of ['a', 'b'].map((name) => start(name, 100))) timeouts.stop(item, 100);
    start('c', 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(['c']);
  });

  it('restarts the timeout of an item that is started again', () => {
    const stream = start('stream', 100);
    start('other', 100);
    jest.advanceTimersByTime(80);
    timeouts.start(stream, 100);
    jest.advanceTimersByTime(80);
    expect(expired).toEqual(['other']);
    jest.advanceTimersByTime(40);
    expect(expired).toEqual(['other', 'stream']);
  });

  it('lets an expired item stop and start others', () => {
    const victim = { name: 'victim' };
    timeouts = new TimeoutQueue((item) => {
      expired.push(item.name);
      if (item.name === 'first') {
        timeouts.stop(victim, 100);
        start('later', 50);
      }
    });
    start('first', 100);
    timeouts.start(victim, 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['first']);
    jest.advanceTimersByTime(60);
    expect(expired).toEqual(['first', 'later']);
  });

  it('accepts durations beyond the longest delay of a timer', () => {
    start('patient', 2 ** 40);
    jest.advanceTimersByTime(2 ** 31);
    expect(expired).toEqual([]);
  });

  it('leaves no timer when cleared, and expires none of the items', () => {
    const item = start('a', 100);
    timeouts.clear();
    expect(jest.getTimerCount()).toBe(0);
    timeouts.stop(item, 100);
    start('b', 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(['b']);
  });

  it('expires nothing whose answer was in the socket before the event loop was blocked', async () => {
    jest.useRealTimers();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    const item = start('answered', 20);
    const late = start('not answered', 20);
    try {
      const answered = once(
        client.on('data', () => timeouts.stop(item, 20)),
        'data',
      );
      socket.write('x');
      for (const end = performance.now() + 100; performance.now() < end;);
      await answered;
      while (expired.length === 0) await new Promise(setImmediate);
      expect(expired).toEqual([late.name]);
    } finally {
      socket.destroy();
      client.destroy();
      server.close();
    }
  });
});
