import { describe, expect, it } from '@jest/globals';
import { keyOfBytes, type ChannelKey } from '../../../../src/pubsub/common/channel-name.js';
import { distinctChannels } from '../../../../src/pubsub/health/health-report.js';

const keys = (...names: (string | Buffer)[]): ChannelKey[] =>
  names.map((name) => keyOfBytes(Buffer.from(name as string)));

describe('channels that several nodes list', () => {
  it('count once each', () => {
    expect(distinctChannels([keys('b', 'a'), [], keys('a', 'c', '')], 10)).toEqual({
      count: 4,
      names: ['', 'a', 'b', 'c'],
    });
    expect(distinctChannels([], 10)).toEqual({ count: 0, names: [] });
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
    });
    expect(distinctChannels([keys('žluť')], 10).names).toEqual(['žluť']);
  });
});
