import { describe, expect, it } from '@jest/globals';
import type { Delivery, Evidence, Publication, SubscriberEvidence } from '../../chaos/evidence.js';
import { judge } from '../../chaos/judge.js';
import type { Channel, GapReport, Subscription } from '../../chaos/peer.js';

const news: Channel & Subscription = { kind: 'channel', name: 'news' };
const allNews: Subscription = { kind: 'pattern', name: 'new*' };

/** Message `n` was published at `n * 100` ms and taken 5 ms later, unless the test says otherwise. */
function published(n: number, more: Partial<Publication> = {}): Publication {
  const started = n * 100;
  return { publisher: 'pub', channel: news, n, started, ended: started + 5, outcome: 'taken', ...more };
}

function delivered(n: number, more: Partial<Delivery> = {}): Delivery {
  return { subscription: news, channel: 'news', publisher: 'pub', n, at: n * 100 + 3, ...more };
}

function gap(since: number, until: number, more: Partial<GapReport> = {}): GapReport {
  return { kind: 'channel', names: ['news'], since, until, reason: 'connection-lost', ...more };
}

function evidence(
  publications: readonly Publication[],
  subscriber: Partial<SubscriberEvidence>,
  more: Partial<Evidence> = {},
): Evidence {
  const one = { name: 'sub', subscriptions: [news], deliveries: [], gaps: [], ...subscriber };
  return { publications, subscribers: [one], requests: [], handled: new Map(), ...more };
}

const threePublished = [published(0), published(1), published(2)];

describe('the judge of the fault suite', () => {
  it('finds nothing wrong where every message is delivered once, in order', () => {
    const verdict = judge(evidence(threePublished, { deliveries: [0, 1, 2].map((n) => delivered(n)) }));
    expect(verdict).toMatchObject({ published: 3, delivered: 3, lost: 0, violations: [] });
  });

  it('counts a message as lost that Redis accepted and that never arrived', () => {
    const verdict = judge(evidence(threePublished, { deliveries: [delivered(0), delivered(2)] }));
    expect(verdict.lost).toBe(1);
    expect(verdict.violations).toEqual([
      expect.stringMatching(/^1 lost without a report: 1 to sub by channel news/),
    ]);
  });

  it('counts a loss once for each subscription that should have received the message', () => {
    const subscriptions = [news, allNews];
    const deliveries = [delivered(0), delivered(0, { subscription: allNews }), delivered(1)];
    expect(judge(evidence([published(0), published(1)], { subscriptions, deliveries }))).toMatchObject({
      delivered: 3,
      lost: 1,
    });
  });

  it('expects order of messages without numbers too, unless their outcome was unknown', () => {
    const raw = { kind: 'channel', name: 'chaos.raw.news' } as const;
    const late = (outcome: Publication['outcome']): number => {
      const publications = [0, 1].map((n) => published(n, { channel: raw, ...(n === 0 ? { outcome } : {}) }));
      const deliveries = [1, 0].map((n) => delivered(n, { subscription: raw, channel: raw.name }));
      return judge(evidence(publications, { subscriptions: [raw], deliveries })).outOfOrder;
    };
    expect(late('taken')).toBe(1);
    expect(late('unknown')).toBe(0);
  });

  it('allows gaps of unnumbered shard channels only, where there should be none', () => {
    const of = (name: string): readonly string[] => {
      const gaps = [gap(0, 1, { kind: 'shard', names: [name] })];
      return judge(evidence([], { gaps }), { quiet: true }).violations;
    };
    expect(of('chaos.raw.orders.0')).toEqual([]);
    expect(of('chaos.orders.1')).toHaveLength(1);
  });

  it.each(['not-delivered', 'unknown', 'failed'] as const)('takes %s for an excuse', (outcome) => {
    const publications = [published(0), published(1, { outcome }), published(2)];
    const verdict = judge(evidence(publications, { deliveries: [delivered(0), delivered(2)] }));
    expect(verdict).toMatchObject({ lost: 0, refused: 1, violations: [] });
  });

  it('accepts a reported gap as an explanation, with 50 ms at either end', () => {
    const at = (since: number, until: number) =>
      judge(
        evidence(threePublished, { deliveries: [delivered(0), delivered(2)], gaps: [gap(since, until)] }),
      );
    expect(at(90, 120)).toMatchObject({ lost: 0, inGap: 1, violations: [] });
    expect(at(155, 300)).toMatchObject({ lost: 0, inGap: 1 });
    expect(at(156, 300)).toMatchObject({ lost: 1, inGap: 0 });
    expect(at(0, 50)).toMatchObject({ lost: 0, inGap: 1 });
    expect(at(0, 49)).toMatchObject({ lost: 1, inGap: 0 });
  });

  it('does not accept the gap of another subscription as an explanation', () => {
    for (const other of [{ names: ['sport'] }, { kind: 'shard' as const }]) {
      const gaps = [gap(0, 300, other)];
      expect(judge(evidence(threePublished, { deliveries: [delivered(0), delivered(2)], gaps })).lost).toBe(
        1,
      );
    }
  });

  it('lets a gap that counts explain as many as it counts, whenever they were', () => {
    const publications = [0, 1, 2, 3].map((n) => published(n));
    const gaps = [gap(5_000, 5_001, { missed: 2, reason: 'sequence' })];
    const verdict = judge(evidence(publications, { deliveries: [delivered(3)], gaps }));
    expect(verdict).toMatchObject({ lost: 1, inGap: 2 });
  });

  it('subtracts from the count of a gap what its time explains', () => {
    const publications = [0, 1, 9].map((n) => published(n));
    const gaps = [gap(0, 100, { missed: 2, reason: 'sequence' })];
    expect(judge(evidence(publications, { gaps }))).toMatchObject({ lost: 1, inGap: 2 });
  });

  it('finds a duplicate, and does not count it as out of order', () => {
    const deliveries = [0, 1, 0, 2].map((n) => delivered(n));
    expect(judge(evidence(threePublished, { deliveries }))).toMatchObject({
      delivered: 3,
      duplicated: 1,
      outOfOrder: 0,
      violations: [expect.stringContaining('duplicated')],
    });
  });

  it('finds a message that arrived after a later one of the same publisher and channel', () => {
    const deliveries = [0, 2, 1].map((n) => delivered(n));
    expect(judge(evidence(threePublished, { deliveries }))).toMatchObject({ duplicated: 0, outOfOrder: 1 });
  });

  it('does not require an order between publishers', () => {
    const publications = [published(0), published(0, { publisher: 'other' }), published(1)];
    const deliveries = [delivered(0), delivered(1), delivered(0, { publisher: 'other' })];
    expect(judge(evidence(publications, { deliveries })).violations).toEqual([]);
  });

  it('reports a delivered message as a violation of "not-delivered", but not of "unknown"', () => {
    const told = (outcome: Publication['outcome']) =>
      judge(evidence([published(0, { outcome })], { deliveries: [delivered(0)] }));
    expect(told('not-delivered')).toMatchObject({ deniedButDelivered: 1 });
    expect(told('not-delivered').violations).toHaveLength(1);
    expect(told('unknown')).toMatchObject({ deniedButDelivered: 0, violations: [] });
  });

  it('requires every publish and every request to settle', () => {
    const publications = [published(0, { outcome: 'pending' })];
    const requests = [{ id: 'pub:0', started: 0, ended: 0, outcome: 'pending' }];
    const verdict = judge(evidence(publications, {}, { requests }));
    expect(verdict).toMatchObject({ pending: 1, lost: 0 });
    expect(verdict.violations).toEqual([
      expect.stringContaining('published and never settled'),
      expect.stringContaining('requests never settled'),
    ]);
  });

  it('finds a message that was never published', () => {
    expect(judge(evidence([published(0)], { deliveries: [delivered(0), delivered(7)] })).violations).toEqual([
      expect.stringContaining('never published: pub news #7 to sub'),
    ]);
  });

  it('finds a wrong reply and a handler that ran twice, and counts failed requests by their code', () => {
    const outcomes = ['answered', 'wrong', 'GAP', 'GAP', 'REQUEST_TIMEOUT'];
    const requests = outcomes.map((outcome, n) => ({ id: `pub:${n}`, started: 0, ended: 1, outcome }));
    const verdict = judge(evidence([], {}, { requests, handled: new Map([['pub:0', 2]]) }));
    expect(verdict.requests).toEqual({ answered: 1, failed: { wrong: 1, GAP: 2, REQUEST_TIMEOUT: 1 } });
    expect(verdict.violations).toEqual([
      expect.stringContaining('reply to another: pub:1'),
      expect.stringContaining('handled more than once: pub:0 (2 times)'),
    ]);
  });

  it('allows no gap, no refused message and no failed request in a quiet scenario', () => {
    const publications = [published(0), published(1, { outcome: 'unknown' })];
    const requests = [{ id: 'pub:0', started: 0, ended: 1, outcome: 'GAP' }];
    const facts = evidence(publications, { deliveries: [delivered(0)], gaps: [gap(0, 10)] }, { requests });
    expect(judge(facts).violations).toEqual([]);
    expect(judge(facts, { quiet: true }).violations).toEqual([
      expect.stringContaining('gaps where there should be none: channel news (connection-lost)'),
      expect.stringContaining('1 messages refused'),
      expect.stringContaining('1 requests failed with GAP'),
    ]);
  });

  it('reports the times of a loss from the start of the run', () => {
    const { violations } = judge(evidence(threePublished, { deliveries: [delivered(1), delivered(2)] }), {
      start: -1_000,
    });
    expect(violations[0]).toContain('at 1000 to 1005 ms');
  });
});
