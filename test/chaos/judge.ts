import type { Evidence, Publication, RequestRecord } from './evidence.js';
import type { GapReport, Subscription } from './peer.js';
import { type Stream, streamsOf } from './streams.js';
import { isRaw } from './traffic-plan.js';

/** How far beyond its edges a gap may explain a loss: neither side knows the exact moment of a loss. */
const GAP_TOLERANCE_MS = 50;

/** The account of all messages. Losses and deliveries count once for each subscription that should have received them. */
export interface Verdict {
  readonly published: number;
  readonly delivered: number;
  /** Not delivered, and neither refused nor inside a reported gap. */
  readonly lost: number;
  /** Not delivered, and inside a reported gap. */
  readonly inGap: number;
  /** Not delivered, and reported to the publisher as failed or of unknown outcome. */
  readonly refused: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Delivered although it was reported to the publisher as not delivered. */
  readonly deniedButDelivered: number;
  /** Publishes that never settled. */
  readonly pending: number;
  readonly gaps: number;
  readonly requests: RequestVerdict;
  /** Descriptions of everything that is wrong; empty when the run is correct. */
  readonly violations: readonly string[];
}

export interface RequestVerdict {
  readonly answered: number;
  /** Failed requests by error code. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface Expectations {
  /** Allows no gap, no refused message and no failed request. */
  readonly quiet?: boolean;
  /** Start of the times in descriptions, in ms since the epoch. Default 0. */
  readonly start?: number;
}

/** Examples in the description of one kind of violation. */
const MAX_EXAMPLES = 6;

/** Accounts for every message: delivered once and in order, refused to its publisher, or inside a reported gap. */
export function judge(evidence: Evidence, { quiet = false, start = 0 }: Expectations = {}): Verdict {
  const streams = streamsOf(evidence);
  const counted = streams.map(account);
  const lost = settleByCount(streams, counted);
  const sum = (count: (account: Account) => number): number =>
    counted.reduce((total, account) => total + count(account), 0);
  const { publications, subscribers } = evidence;
  const pending = publications.filter(({ outcome }) => outcome === 'pending');
  const gaps = subscribers.flatMap((subscriber) => subscriber.gaps);
  const invented = inventedBy(evidence);
  const verdict = {
    published: publications.length,
    delivered: sum(({ delivered }) => delivered),
    lost: lost.reduce((total, { messages }) => total + messages.length, 0),
    inGap: sum(({ inGap }) => inGap),
    refused: sum(({ refused }) => refused),
    duplicated: sum(({ duplicates }) => duplicates.length),
    outOfOrder: sum(({ disorder }) => disorder.length),
    deniedButDelivered: sum(({ denied }) => denied.length),
    pending: pending.length,
    gaps: gaps.length,
    requests: judgeRequests(evidence.requests),
  };
  const howMany = ({ numbers }: Numbers): number => numbers.length;
  const inNumbers = (numbers: Numbers): string => describeNumbers(numbers, start);
  const violations = [
    ...violation(
      'lost without a report',
      lost,
      ({ stream, messages }) => describeLoss(stream, messages, start),
      ({ messages }) => messages.length,
    ),
    ...violation('duplicated', pick(streams, counted, 'duplicates'), inNumbers, howMany),
    ...violation('out of order', pick(streams, counted, 'disorder'), inNumbers, howMany),
    ...violation(
      'delivered although refused as not-delivered',
      pick(streams, counted, 'denied'),
      inNumbers,
      howMany,
    ),
    ...violation(
      'published and never settled',
      pending,
      ({ publisher, channel, n }) => `${publisher} ${channel.name} #${n}`,
    ),
    ...violation('delivered, but never published', invented, (text) => text),
    ...requestViolations(evidence),
    ...(quiet ? noise(streams, counted, verdict.requests, gaps) : []),
  ];
  return { ...verdict, violations };
}

interface Account {
  readonly delivered: number;
  readonly refused: number;
  inGap: number;
  readonly missing: readonly Publication[];
  readonly duplicates: readonly number[];
  readonly disorder: readonly number[];
  readonly denied: readonly number[];
}

interface Numbers {
  readonly stream: Stream;
  readonly numbers: readonly number[];
}

interface Loss {
  readonly stream: Stream;
  readonly messages: readonly Publication[];
}

function account({ subscriber, subscription, channel, publications, deliveries }: Stream): Account {
  const seen = new Set<number>();
  const duplicates: number[] = [];
  const disorder: number[] = [];
  // A node that hung executes what was written to it, when others have gone on: without a number nobody can tell.
  const mayBeLate = new Set(
    isRaw(channel.name) ? publications.filter(({ outcome }) => outcome === 'unknown').map(({ n }) => n) : [],
  );
  let highest = -1;
  for (const { n } of deliveries) {
    if (seen.has(n)) duplicates.push(n);
    else if (n < highest && !mayBeLate.has(n)) disorder.push(n);
    seen.add(n);
    highest = Math.max(highest, n);
  }
  const gaps = subscriber.gaps.filter((gap) => names(gap, subscription));
  const absent = publications.filter(({ n }) => !seen.has(n));
  const taken = absent.filter(({ outcome }) => outcome === 'taken');
  const missing = taken.filter((publication) => !gaps.some((gap) => spans(gap, publication)));
  return {
    delivered: seen.size,
    refused: absent.filter(({ outcome }) => outcome !== 'taken' && outcome !== 'pending').length,
    inGap: taken.length - missing.length,
    missing,
    duplicates,
    disorder,
    denied: publications
      .filter(({ n, outcome }) => outcome === 'not-delivered' && seen.has(n))
      .map(({ n }) => n),
  };
}

/**
 * Accounts for losses by the `missed` count of gaps: a gap may be right about how many messages were missed and wrong about
 * when. It explains that many losses of its subscription, minus those that it explains by its time.
 */
function settleByCount(streams: readonly Stream[], accounts: readonly Account[]): Loss[] {
  const left = new Map<GapReport, number>();
  const credit = (gap: GapReport): number => left.get(gap) ?? gap.missed ?? 0;
  const spend = (gap: GapReport): void => void left.set(gap, credit(gap) - 1);
  for (const [index, stream] of streams.entries()) {
    const missing = new Set(accounts[index]?.missing);
    const delivered = new Set(stream.deliveries.map(({ n }) => n));
    for (const publication of stream.publications) {
      if (publication.outcome !== 'taken' || missing.has(publication) || delivered.has(publication.n))
        continue;
      const gap = stream.subscriber.gaps.find(
        (one) => names(one, stream.subscription) && spans(one, publication),
      );
      if (gap !== undefined) spend(gap);
    }
  }
  return streams.flatMap((stream, index) => {
    const one = accounts[index] as Account;
    const unexplained = one.missing.filter(() => {
      const gap = stream.subscriber.gaps.find((each) => names(each, stream.subscription) && credit(each) > 0);
      if (gap === undefined) return true;
      spend(gap);
      one.inGap += 1;
      return false;
    });
    return unexplained.length === 0 ? [] : [{ stream, messages: unexplained }];
  });
}

function names(gap: GapReport, subscription: Subscription): boolean {
  return gap.kind === subscription.kind && gap.names.includes(subscription.name);
}

function spans({ since, until }: GapReport, { started, ended }: Publication): boolean {
  return started <= until + GAP_TOLERANCE_MS && ended >= since - GAP_TOLERANCE_MS;
}

function inventedBy({ publications, subscribers }: Evidence): string[] {
  const id = (publisher: string, channel: string, n: number): string => `${publisher} ${channel} #${n}`;
  const known = new Set(publications.map(({ publisher, channel, n }) => id(publisher, channel.name, n)));
  return subscribers.flatMap(({ name, deliveries }) =>
    deliveries
      .map(({ publisher, channel, n }) => id(publisher, channel, n))
      .filter((one) => !known.has(one))
      .map((one) => `${one} to ${name}`),
  );
}

function judgeRequests(requests: readonly RequestRecord[]): RequestVerdict {
  const failed: Record<string, number> = {};
  for (const { outcome } of requests) {
    if (outcome !== 'answered') failed[outcome] = (failed[outcome] ?? 0) + 1;
  }
  return { answered: requests.filter(({ outcome }) => outcome === 'answered').length, failed };
}

function requestViolations({ requests, handled }: Evidence): string[] {
  const ofOutcome = (wanted: string) => requests.filter(({ outcome }) => outcome === wanted);
  const twice = [...handled].filter(([, times]) => times > 1);
  return [
    ...violation('requests with the reply to another', ofOutcome('wrong'), ({ id }) => id),
    ...violation('requests never settled', ofOutcome('pending'), ({ id }) => id),
    ...violation('requests handled more than once', twice, ([id, times]) => `${id} (${times} times)`),
  ];
}

function noise(
  streams: readonly Stream[],
  accounts: readonly Account[],
  requests: RequestVerdict,
  gaps: readonly GapReport[],
): string[] {
  const codes = Object.entries(requests.failed);
  const refused = accounts
    .filter((_, index) => !mayMiss(streams[index]?.channel))
    .reduce((sum, account) => sum + account.refused, 0);
  const unexpected = gaps.filter(({ kind, names }) => !names.every((name) => mayMiss({ kind, name })));
  return [
    ...violation(
      'gaps where there should be none',
      unexpected,
      ({ kind, names: [first = ''], reason }) => `${kind} ${first} (${reason})`,
    ),
    ...(refused > 0 ? [`${refused} messages refused where none should be`] : []),
    ...codes.map(([code, times]) => `${times} requests failed with ${code} where none should`),
  ];
}

/** A demoted master takes messages to shard channels without a subscriber, and only numbered ones can be sent again. */
function mayMiss(of: Subscription | undefined): boolean {
  return of?.kind === 'shard' && isRaw(of.name);
}

function pick(
  streams: readonly Stream[],
  accounts: readonly Account[],
  field: 'duplicates' | 'disorder' | 'denied',
): Numbers[] {
  return streams
    .map((stream, index) => ({ stream, numbers: accounts[index]?.[field] ?? [] }))
    .filter(({ numbers }) => numbers.length > 0);
}

function violation<T>(
  what: string,
  items: readonly T[],
  describe: (item: T) => string,
  weight: (item: T) => number = () => 1,
): string[] {
  if (items.length === 0) return [];
  const total = items.reduce((sum, item) => sum + weight(item), 0);
  const first = items.slice(0, MAX_EXAMPLES).map(describe).join('; ');
  const more = items.length > MAX_EXAMPLES ? `; and ${items.length - MAX_EXAMPLES} more like these` : '';
  return [`${total} ${what}: ${first}${more}`];
}

function describeLoss(
  { subscriber, subscription, publisher, channel }: Stream,
  messages: readonly Publication[],
  start: number,
): string {
  const first = messages[0] as Publication;
  const last = messages.at(-1) as Publication;
  const counts = [...new Set(messages.map(({ count }) => count ?? '?'))].join('/');
  return (
    `${messages.length} to ${subscriber.name} by ${subscription.kind} ${subscription.name} from ${publisher} on ${channel.name} ` +
    `(#${first.n} to #${last.n}, at ${first.started - start} to ${last.ended - start} ms, counted ${counts})`
  );
}

function describeNumbers({ stream, numbers }: Numbers, start: number): string {
  const { subscriber, subscription, publisher, channel, deliveries } = stream;
  const first = deliveries.findLast(({ n }) => n === numbers[0]);
  return (
    `${numbers.length} to ${subscriber.name} by ${subscription.kind} ${subscription.name} from ${publisher} on ${channel.name} ` +
    `(first #${numbers[0] ?? 0}, at ${(first?.at ?? start) - start} ms)`
  );
}
