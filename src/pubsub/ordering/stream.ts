import type { ReorderBuffer } from './reorder-buffer.js';

/** A larger step needs a second message to go on from there, unless a gap is known: one stamp may be damaged or forged. */
export const MAX_STEP = 1_000;

/** No publisher sends more messages of one stream in a ms: a larger step is never adopted. */
const MAX_MESSAGES_PER_MS = 1_000;

/** A step is proven by so many numbers in a row from there on: who sends them is taken for the publisher. */
const PROOF = { near: 3, far: 5 } as const;

/**
 * The place before a proven step is only returned to when messages have gone on there for so long, and none came after
 * the step: what a resumed node still held comes at once.
 */
const RETURN_AFTER_MS = 5_000;

/** So many of the numbers that arrived between steps are remembered, latest first. */
const MAX_ARRIVED = 16;

/** For this long after a stream was first seen, its publisher may send messages of before again. */
const RETRANSMISSION_TIMEOUT_MS = 2_000;

/** Times since then fit into a small integer, for which V8 allocates nothing. */
export const START = Date.now();

/** The messages of one publisher for one subscription, under one epoch. */
export interface Stream<M> {
  readonly name: string;
  next: number;
  /** In ms since {@link START}. */
  lastReceivedAt: number;
  /** The value of `Sequencer.#resyncs` when its last message arrived. */
  resyncs: number;
  buffer: ReorderBuffer<M> | undefined;
  /** The number at which it started. */
  start: number;
  /** Up to this time, in ms since {@link START}, messages before its start may be late. */
  readonly lateUntil: number;
  /**
   * The numbers before `missingUntil`, from `missingFrom` on, were skipped by the last step, on one connection, and by those
   * before it of which none is proven: they may all be false.
   */
  missingUntil: number;
  missingFrom: number;
  /** Those of them that have arrived. */
  arrived: readonly Numbers[] | undefined;
  /** The messages with skipped numbers that follow one another although the step is proven. */
  old: OldMessages | undefined;
  /** The number that would go on from a message that was too far ahead. */
  claim: number;
}

/** From a number up to before another one. */
type Numbers = readonly [from: number, until: number];

interface OldMessages {
  next: number;
  /** In ms since {@link START}. */
  readonly since: number;
  /** `next` of the stream. */
  readonly place: number;
}

export function startStream<M>(name: string, seq: number, resyncs: number): Stream<M> {
  return {
    name,
    next: seq,
    lastReceivedAt: 0,
    resyncs,
    buffer: undefined,
    start: seq,
    lateUntil: now() + RETRANSMISSION_TIMEOUT_MS,
    missingFrom: 0,
    missingUntil: seq,
    arrived: undefined,
    old: undefined,
    claim: -1,
  };
}

/** Whether a publisher can have sent so many messages since the last one. */
export function isPossibleStep({ lastReceivedAt }: Stream<unknown>, step: number): boolean {
  const elapsed = Math.max(now() - lastReceivedAt, 0);
  return step <= MAX_STEP + elapsed * MAX_MESSAGES_PER_MS;
}

/** The stream is about to go on at `until`. */
export function noteStep(stream: Stream<unknown>, until: number): void {
  if (stream.missingFrom < stream.missingUntil && !isProven(stream)) {
    const latest: Numbers = [stream.missingUntil, stream.next];
    stream.arrived = [latest, ...(stream.arrived ?? [])].slice(0, MAX_ARRIVED);
  } else {
    stream.missingFrom = stream.next;
    stream.arrived = undefined;
  }
  stream.missingUntil = until;
  stream.old = undefined;
}

/** The stream is about to go back to `seq`. That may be forged as well: what is before it can still disprove it. */
export function noteReturn(stream: Stream<unknown>, seq: number): void {
  stream.missingUntil = seq;
  stream.start = Math.min(stream.start, seq);
  stream.old = undefined;
}

/** What the last steps have skipped is late if it arrives. */
export function forgetSteps(stream: Stream<unknown>): void {
  stream.missingFrom = stream.missingUntil = stream.next;
  stream.old = undefined;
}

/**
 * Whether a message behind the place of its stream shows that the last step was false, as a publisher never goes back.
 * It may be late instead: over two connections, or from a node that was paused and replaced meanwhile.
 */
export function disprovesStep(
  stream: Stream<unknown>,
  seq: number,
  connections: { mayReorder(): boolean },
): boolean {
  const { missingFrom, missingUntil, arrived } = stream;
  if (
    seq < missingFrom ||
    seq >= missingUntil ||
    arrived?.some(([from, until]) => seq >= from && seq < until) === true
  ) {
    return false;
  }
  const isBeforeStart = stream.start - seq > 0 && stream.start - seq <= MAX_STEP;
  if (
    (isBeforeStart && now() < stream.lateUntil) ||
    (missingUntil - seq <= MAX_STEP && connections.mayReorder())
  ) {
    return false;
  }
  return !isProven(stream) || goesOn(stream, seq);
}

function isProven({ missingFrom, missingUntil, next }: Stream<unknown>): boolean {
  return next - missingUntil >= (missingUntil - missingFrom <= MAX_STEP ? PROOF.near : PROOF.far);
}

/** Whether messages with skipped numbers have followed one another for long, while the stream itself did not go on. */
function goesOn(stream: Stream<unknown>, seq: number): boolean {
  const { old, next } = stream;
  if (old?.next === seq && old.place === next) {
    old.next += 1;
    return now() - old.since >= RETURN_AFTER_MS;
  }
  stream.old = { next: seq + 1, since: now(), place: next };
  return false;
}

function now(): number {
  return Date.now() - START;
}
