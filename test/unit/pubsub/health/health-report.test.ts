import { describe, expect, it } from '@jest/globals';
import { keyOfBytes, type ChannelKey } from '../../../../src/pubsub/common/channel-name.js';
import { activeChannels } from '../../../../src/pubsub/health/health-report.js';

const keys = (...names: (string | Buffer)[]): ChannelKey[] =>
  names.map((name) => keyOfBytes(Buffer.from(name as string)));

const distinctChannels = (lists: readonly ChannelKey[][], maxNames: number) =>
  activeChannels(
    lists.map((names) => ({ names, count: 0 })),
    {},
    maxNames,
  );

describe('channels that several nodes list', () => {
  it('count once each', () => {
    expect(distinctChannels([keys('b', 'a'), [], keys('a', 'c', '')], 10)).toEqual({
      count: 4,
      names: ['', 'a', 'b', 'c'],
      listed: true,
    });
    expect(distinctChannels([], 10)).toEqual({ count: 0, names: [], listed: true });
  });

  it('are shown up to a limit, and all counted', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `channel.${index}`);
    const lists = [keys(...many.slice(0, 15_000)), keys(...many.slice(5_000))];
    const { count, names } = distinctChannels(lists, 100);
    expect([count, names.length]).toEqual([20_000, 100]);
  });

  it('are distinguished by their bytes, and shown as text', () => {
    const [one, other] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    expect(distinctChannels([keys(one, other), keys(Buffer.from([0xff]))], 10)).toEqual({
      count: 2,
      names: ['\\xfe', '\\xff'],
      listed: true,
    });
    expect(distinctChannels([keys('žluť')], 10).names).toEqual(['žluť']);
  });

  it('are not listed where a node has too many: then the watched ones are known, and how many there are', () => {
    const nodes = [
      { names: undefined, count: 500_000 },
      { names: keys('a', 'b'), count: 2 },
      { names: undefined, count: undefined },
    ];
    const watched = { b: 1, a: 2, c: 0, d: 1 };
    expect(activeChannels(nodes, watched, 10)).toEqual({
      count: 500_002,
      names: ['a', 'b', 'd'],
      listed: false,
    });
    expect(activeChannels(nodes, watched, 2).names).toHaveLength(2);
  });
});
