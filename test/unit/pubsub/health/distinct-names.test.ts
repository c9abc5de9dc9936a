import { describe, expect, it } from '@jest/globals';
import { countNames } from '../../../../src/pubsub/health/distinct-names.js';

const bytes = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(name));

describe('names that several nodes list', () => {
  it('count once each', () => {
    expect(countNames([bytes('b', 'a'), [], bytes('a', 'c', '')], 10)).toEqual({
      count: 4,
      names: ['', 'a', 'b', 'c'],
    });
    expect(countNames([], 10)).toEqual({ count: 0, names: [] });
  });

  it('are shown up to a limit, and all counted', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `channel.${index}`);
    const { count, names } = countNames([bytes(...many.slice(0, 15_000)), bytes(...many.slice(5_000))], 100);
    expect([count, names.length]).toEqual([20_000, 100]);
  });

  it('do not count where a probe made them, whatever its prefix', () => {
    const made = bytes('_cps:probe:x:{1}', 'shop:_cps:probe:x:{1}', 'žluť:_cps:probe:');
    expect(countNames([made, bytes('_cps:prob', '__cps:probe', '_cps')], 10)).toEqual({
      count: 3,
      names: ['__cps:probe', '_cps', '_cps:prob'],
    });
  });

  it('are told apart by their bytes, and shown as text', () => {
    const [one, other] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    expect(countNames([[one, other], [Buffer.from([0xff])]], 10).count).toBe(2);
    expect(countNames([bytes('žluť')], 10).names).toEqual(['žluť']);
  });
});
