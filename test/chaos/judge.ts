import type { Evidence, Publication, RequestRecord } from './evidence.js';
import type { GapReport, Lane } from './peer.js';
import { type Stream, streamsOf } from './streams.js';

/** How far beyond its edges a gap may explain a loss, in ms: neither side can tell the moment of a loss exactly. */
const tolerance = 50;

/** What became of the messages. Losses and deliveries count once for each subscription that should have had them. */
export interface Verdict {
  readonly published: number;
  readonly delivered: number;
  /** Not delivered, and neither refused nor inside a reported gap. */
  readonly lost: number;
  /** Not delivered, and a reported gap says so. */
  readonly inGap: number;
  /** Not delivered, and the publisher knows that it may be so. */
  readonly refused: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Delivered although the publisher was told that it was not. */
  readonly deniedButDelivered: number;
  /** Publishes that never settled. */
  readonly pending: number;
  readonly gaps: number;
  readonly requests: RequestVerdict;
  /** What is not as it should be, in words; empty when all is well. */
  readonly violations: readonly string[];
}

export interface RequestVerdict {
  readonly answered: number;
  /** How many failed, by the code of their error. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface Expectations {
  /** Nothing may be noticed: no gap, no refused message, no failed request. */
  readonly quiet?: boolean;
  /** From when to tell times, in ms since the epoch. Default 0. */
  readonly start?: number;
}

/** How many examples of one kind of violation are told. */
const examples = 6;

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
  const inNumbers = (numbers: Numbers): string => tellNumbers(numbers, start);
  const violations = [
    ...told(
      'lost without a word',
      lost,
      ({ stream, messages }) => tell(stream, messages, start),
      ({ messages }) => messages.length,
    ),
    ...told('duplicated', pick(streams, counted, 'duplicates'), inNumbers, howMany),
    ...told('out of order', pick(streams, counted, 'disorder'), inNumbers, howMany),
    ...told(
      'delivered although refused as not-delivered',
      pick(streams, counted, 'denied'),
      inNumbers,
      howMany,
    ),
    ...told(
      'published and never settled',
      pending,
      ({ publisher, channel, n }) => `${publisher} ${channel.name} #${n}`,
    ),
    ...told('delivered, but published by nobody', invented, (text) => text),
    ...requestViolations(evidence),
    ...(quiet ? noise(verdict, gaps) : []),
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

function account({ subscriber, lane, publications, deliveries }: Stream): Account {
  const seen = new Set<number>();
  const duplicates: number[] = [];
  const disorder: number[] = [];
  let highest = -1;
  for (const { n } of deliveries) {
    if (seen.has(n)) duplicates.push(n);
    else if (n < highest) disorder.push(n);
    seen.add(n);
    highest = Math.max(highest, n);
  }
  const gaps = subscriber.gaps.filter((gap) => names(gap, lane));
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
 * A gap may say how many messages were missed and be wrong about when: then it explains so many losses of its lane,
 * less those that it explains by its time.
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
      const gap = stream.subscriber.gaps.find((one) => names(one, stream.lane) && spans(one, publication));
      if (gap !== undefined) spend(gap);
    }
  }
  return streams.flatMap((stream, index) => {
    const one = accounts[index] as Account;
    const unexplained = one.missing.filter(() => {
      const gap = stream.subscriber.gaps.find((each) => names(each, stream.lane) && credit(each) > 0);
      if (gap === undefined) return true;
      spend(gap);
      one.inGap += 1;
      return false;
    });
    return unexplained.length === 0 ? [] : [{ stream, messages: unexplained }];
  });
}

function names(gap: GapReport, lane: Lane): boolean {
  return gap.kind === lane.kind && gap.names.includes(lane.name);
}

function spans({ since, until }: GapReport, { started, ended }: Publication): boolean {
  return started <= until + tolerance && ended >= since - tolerance;
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
    ...told('requests with the answer of another', ofOutcome('wrong'), ({ id }) => id),
    ...told('requests never settled', ofOutcome('pending'), ({ id }) => id),
    ...told('requests handled more than once', twice, ([id, times]) => `${id} (${times} times)`),
  ];
}

function noise(
  { refused, requests }: Pick<Verdict, 'refused' | 'requests'>,
  gaps: readonly GapReport[],
): string[] {
  const codes = Object.entries(requests.failed);
  return [
    ...told(
      'gaps where there should be none',
      gaps,
      ({ kind, names: [first = ''], reason }) => `${kind} ${first} (${reason})`,
    ),
    ...(refused > 0 ? [`${refused} messages refused where none should be`] : []),
    ...codes.map(([code, times]) => `${times} requests failed with ${code} where none should`),
  ];
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

function told<T>(
  what: string,
  items: readonly T[],
  describe: (item: T) => string,
  weight: (item: T) => number = () => 1,
): string[] {
  if (items.length === 0) return [];
  const total = items.reduce((sum, item) => sum + weight(item), 0);
  const first = items.slice(0, examples).map(describe).join('; ');
  const more = items.length > examples ? `; and ${items.length - examples} more like these` : '';
  return [`${total} ${what}: ${first}${more}`];
}

function tell(
  { subscriber, lane, publisher, channel }: Stream,
  messages: readonly Publication[],
  start: number,
): string {
  const first = messages[0] as Publication;
  const last = messages.at(-1) as Publication;
  const counts = [...new Set(messages.map(({ count }) => count ?? '?'))].join('/');
  return (
    `${messages.length} to ${subscriber.name} by ${lane.kind} ${lane.name} from ${publisher} on ${channel.name} ` +
    `(#${first.n} to #${last.n}, at ${first.started - start} to ${last.ended - start} ms, counted ${counts})`
  );
}

function tellNumbers({ stream, numbers }: Numbers, start: number): string {
  const { subscriber, lane, publisher, channel, deliveries } = stream;
  const first = deliveries.findLast(({ n }) => n === numbers[0]);
  return (
    `${numbers.length} to ${subscriber.name} by ${lane.kind} ${lane.name} from ${publisher} on ${channel.name} ` +
    `(first #${numbers[0] ?? 0}, at ${(first?.at ?? start) - start} ms)`
  );
}
