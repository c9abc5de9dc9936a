import { describe, expect, it, jest } from '@jest/globals';
import { GapBatcher, type MissedInterval } from '../../../../src/pubsub/common/gap-batcher.js';

const interval = (name: string, more: Partial<MissedInterval> = {}): MissedInterval => ({
  kind: 'channel',
  name,
  reason: 'sequence',
  node: 'h:1',
  since: 1_000,
  until: 2_000,
  ...more,
});

function batcher() {
  const gap = jest.fn();
  const flushes: (() => void)[] = [];
  const gaps = new GapBatcher({ gap }, (flush) => flushes.push(flush));
  return { gap, gaps, flushes };
}

describe('GapBatcher', () => {
  it('reports what was missed together as one gap: all names, the whole interval, the sum', () => {
    const { gap, gaps, flushes } = batcher();
    gaps.add(interval('a', { since: 900, count: 2 }));
    gaps.add(interval('b', { until: 2_100, count: 3 }));
    gaps.add(interval('a', { count: 1 }));
    expect(gap).not.toHaveBeenCalled();
    expect(flushes).toHaveLength(1);
    flushes[0]?.();
    expect(gap.mock.calls).toEqual([
      [
        {
          kind: 'channel',
          names: ['a', 'b'],
          node: 'h:1',
          since: new Date(900),
          until: new Date(2_100),
          missed: 6,
          reason: 'sequence',
        },
      ],
    ]);
  });

  it('keeps kinds, causes and names that differ in their bytes apart', () => {
    const { gap, gaps } = batcher();
    const [one, other] = [{}, {}];
    gaps.add(interval('a'), one);
    gaps.add(interval('b'), other);
    gaps.add(interval('c', { kind: 'shard' }), one);
    gaps.add({ ...interval('é'), name: Buffer.from([0xe9]) }, other);
    gaps.add(interval('é'), other);
    gaps.flush();
    expect(gap.mock.calls.map(([reported]) => (reported as { names: unknown }).names)).toEqual([
      ['a'],
      ['c'],
      ['b', Buffer.from([0xe9]), 'é'],
    ]);
  });

  it('names no node when the messages came from several, and no number when none is known', () => {
    const { gap, gaps } = batcher();
    gaps.add(interval('a'));
    gaps.add(interval('b', { node: 'h:2' }));
    gaps.flush();
    expect(gap).toHaveBeenCalledWith(expect.objectContaining({ node: undefined }));
    expect(gap).toHaveBeenCalledWith(expect.not.objectContaining({ missed: expect.anything() }));
  });

  it('starts another gap after each report, and reports nothing twice', () => {
    const { gap, gaps, flushes } = batcher();
    gaps.add(interval('a'));
    gaps.flush();
    gaps.add(interval('b'));
    flushes.forEach((flush) => {
      flush();
    });
    expect(flushes).toHaveLength(2);
    expect(gap).toHaveBeenCalledTimes(2);
  });
});
