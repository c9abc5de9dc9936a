import type { ReorderBuffer } from './reorder-buffer.js';

/** A larger step needs a second message to go on from there, unless a gap is known: one stamp may be damaged or forged. */
export const MAX_STEP = 1_000;

/** No publisher sends more messages of one stream in a ms: a larger step is never adopted. */
const MAX_MESSAGES_PER_MS = 1_000;

/** For this long after a stream was first seen, its publisher may send messages of before again. */
const RETRANSMISSION_TIMEOUT_MS = 2_000;

/** Steps within this time count as one. */
const REPEATED_STEP_MS = 10_000;

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
  /**
   * The numbers before this one, from `missingFrom` on, were skipped by the last steps, on one connection. A message with
   * one of them shows that the steps were false: a publisher never goes back.
   */
  missingUntil: number;
  missingFrom: number;
  /** In ms since {@link START}. */
  steppedAt: number;
  /** Up to this time it may be late instead, in ms since {@link START}. */
  lateUntil: number;
  /** The number that would go on from a message that was too far ahead. */
  claim: number;
}

export function startStream<M>(name: string, seq: number, resyncs: number): Stream<M> {
  return {
    name,
    next: seq,
    lastReceivedAt: 0,
    resyncs,
    buffer: undefined,
    missingFrom: 0,
    steppedAt: 0,
    missingUntil: seq,
    lateUntil: Date.now() - START + RETRANSMISSION_TIMEOUT_MS,
    claim: -1,
  };
}

/** The stream is about to go on at `next`. Several steps in a short time may all be false: the lowest place counts. */
export function noteStep(stream: Stream<unknown>, next: number): void {
  const now = Date.now() - START;
  const isRepeated =
    stream.missingFrom < stream.missingUntil &&
    now - stream.steppedAt < REPEATED_STEP_MS &&
    stream.steppedAt > 0;
  stream.missingFrom = isRepeated ? Math.min(stream.missingFrom, stream.next) : stream.next;
  stream.missingUntil = next;
  stream.steppedAt = Math.max(now, 1);
  stream.lateUntil = 0;
}

/** Whether a publisher can have sent so many messages since the last one. */
export function isPossibleStep({ lastReceivedAt }: Stream<unknown>, step: number): boolean {
  const elapsed = Math.max(Date.now() - START - lastReceivedAt, 0);
  return step <= MAX_STEP + elapsed * MAX_MESSAGES_PER_MS;
}
