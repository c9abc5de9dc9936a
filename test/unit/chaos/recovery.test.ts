import { describe, expect, it } from '@jest/globals';
import type { Evidence } from '../../chaos/evidence.js';
import { recoveriesOf } from '../../chaos/recovery.js';

const news = { kind: 'channel', name: 'news' } as const;

/** A message every 100 ms from 0 on; the list says how many ms each took, or that it did not come. */
function evidence(latencies: readonly (number | 'lost')[]): Evidence {
  const numbered = latencies.map((latency, n) => ({ latency, n }));
  const publications = numbered.map(({ n }) => {
    return {
      publisher: 'pub',
      channel: news,
      n,
      started: n * 100,
      ended: n * 100,
      outcome: 'taken' as const,
    };
  });
  const deliveries = numbered.flatMap(({ latency, n }) =>
    latency === 'lost'
      ? []
      : [{ subscription: news, channel: 'news', publisher: 'pub', n, at: n * 100 + latency }],
  );
  const subscribers = [{ name: 'sub', subscriptions: [news], deliveries, gaps: [] }];
  return { publications, subscribers, requests: [], handled: new Map() };
}

describe('recovery', () => {
  it('is 0 where the fault had no effect', () => {
    expect(recoveriesOf(evidence([1, 2, 3]), [50], [])).toEqual([
      { afterFault: 0, longestPause: 0, disturbed: 0 },
    ]);
  });

  it('lasts from the fault to the last message that did not arrive', () => {
    expect(recoveriesOf(evidence([1, 'lost', 'lost', 1]), [50], [])).toMatchObject([
      { afterFault: 150, longestPause: 100, disturbed: 1 },
    ]);
  });

  it('lasts until the last delayed message arrives', () => {
    expect(recoveriesOf(evidence([1, 900, 800, 1]), [50], [])[0]?.afterFault).toBe(950);
  });

  it('never ends where no message arrives any more', () => {
    expect(recoveriesOf(evidence([1, 1, 'lost', 'lost']), [150], [])[0]?.afterFault).toBe(Infinity);
  });

  it('is measured from the promotion too, where one followed', () => {
    expect(recoveriesOf(evidence([1, 'lost', 'lost', 1]), [50], [120])[0]?.afterPromotion).toBe(80);
  });

  it('reports the longest pause of one subscription, which may be shorter than the whole', () => {
    const [recovery] = recoveriesOf(evidence([1, 'lost', 1, 1, 900, 1]), [50], []);
    expect(recovery).toMatchObject({
      afterFault: 1_250,
      longestPause: 900,
      longestPauseOf: 'sub channel news from pub on news at 350 ms',
    });
  });

  it('is reported for each fault separately', () => {
    const each = recoveriesOf(evidence([1, 'lost', 1, 1, 'lost', 1]), [50, 350], [360]);
    expect(each.map(({ afterFault }) => afterFault)).toEqual([50, 50]);
    expect(each.map(({ afterPromotion }) => afterPromotion)).toEqual([undefined, 40]);
  });
});
