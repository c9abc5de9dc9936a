import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { MessageBuffer } from '../../../../src/pubsub/delivery/message-buffer.js';

const everything = (): boolean => true;

describe('MessageQueue', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('keeps messages, in order, until they are read', async () => {
    const queue = queueOf(10);
    queue.push('a');
    queue.push('b');
    expect(await queue.read('single', everything, 0)).toBe('a');
    expect(await queue.read('single', everything, 0)).toBe('b');
    expect(await queue.read('single', everything, 0)).toBeUndefined();
  });

  it('passes a message to the reader that has waited longest', async () => {
    const queue = queueOf(10);
    const first = queue.read('single', everything, Infinity);
    const second = queue.read('iteration', everything, Infinity);
    queue.push('a');
    queue.push('b');
    expect(await Promise.all([first, second])).toEqual(['a', 'b']);
    expect(queue.length).toBe(0);
  });

  it('ends a read that waited in vain', async () => {
    jest.useFakeTimers();
    const queue = queueOf(10);
    const read = queue.read('single', everything, 1_000);
    jest.advanceTimersByTime(1_001);
    expect(await read).toBeUndefined();
    queue.push('late');
    expect(queue.length).toBe(1);
  });

  it('leaves no timer behind when the message comes in time', async () => {
    jest.useFakeTimers();
    const queue = queueOf(10);
    const read = queue.read('single', everything, 1_000);
    queue.push('a');
    expect(await read).toBe('a');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('waits for ever rather than not at all when the timeout is beyond what timers can do', () => {
    jest.useFakeTimers();
    void queueOf(10).read('single', everything, 2 ** 31);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    ['drop-oldest', ['a', 'b'], 'c'],
    ['drop-newest', ['c', 'd'], 'a'],
  ] as const)('drops one when full (%s), and tells which', async (policy, gone, first) => {
    const dropped: string[] = [];
    const queue = new MessageBuffer<string>(2, policy, (item) => dropped.push(item));
    for (const item of ['a', 'b', 'c', 'd']) queue.push(item);
    expect(dropped).toEqual(gone);
    expect(await queue.read('single', everything, 0)).toBe(first);
  });

  it('passes over what the reader does not want, whether it waits already or comes', async () => {
    const queue = queueOf(10);
    const wantsLong = (item: string): boolean => item.length > 1;
    queue.push('a');
    expect(await queue.read('single', wantsLong, 0)).toBeUndefined();
    const read = queue.read('single', wantsLong, Infinity);
    queue.push('b');
    queue.push('cc');
    expect(await read).toBe('cc');
  });

  it('leaves unwanted messages to other readers if asked to', async () => {
    const queue = queueOf(10);
    const isB = (item: string): boolean => item === 'b';
    for (const item of ['a', 'b', 'c']) queue.push(item);
    expect(await queue.read('single', isB, 0, 'leave')).toBe('b');
    expect(await queue.read('single', isB, 0, 'leave')).toBeUndefined();
    const waiting = queue.read('single', isB, Infinity, 'leave');
    queue.push('d');
    queue.push('b');
    expect(await waiting).toBe('b');
    const rest = [];
    while (queue.length > 0) rest.push(await queue.read('single', everything, 0));
    expect(rest).toEqual(['a', 'c', 'd']);
  });

  it('lets the readers of one kind go and the others wait', async () => {
    const queue = queueOf(10);
    const iteration = queue.read('iteration', everything, Infinity);
    const single = queue.read('single', everything, Infinity);
    queue.release('iteration');
    expect(await iteration).toBeUndefined();
    queue.push('a');
    expect(await single).toBe('a');
  });

  it('forgets what waits when cleared', async () => {
    const queue = queueOf(10);
    queue.push('a');
    queue.clear();
    expect(await queue.read('single', everything, 0)).toBeUndefined();
  });
});

function queueOf(limit: number): MessageBuffer<string> {
  return new MessageBuffer(limit, 'drop-oldest', () => undefined);
}
