import { describe, expect, it } from '@jest/globals';
import { DrainClock } from '../../../../src/pubsub/connection/resp-socket.js';

const FULL = 65_536;

/** A clock that has seen these reads: `[when, bytes]`. */
function after(reads: readonly (readonly [number, number])[], isTls = false): DrainClock {
  const clock = new DrainClock(isTls, 0);
  for (const [now, length] of reads) clock.onRead(length, now);
  return clock;
}

describe('DrainClock', () => {
  it('counts from the read before the last one: data of that one may have waited', () => {
    expect(
      after([
        [100, 10],
        [200, 10],
      ]).completeUntil,
    ).toBe(100);
  });

  it('goes back to the last time the socket was empty, where much had waited', () => {
    expect(
      after([
        [100, 10],
        [4_000, FULL],
        [4_001, FULL],
      ]).completeUntil,
    ).toBe(100);
  });

  it('does not take the end of a backlog for its beginning, though the node sends again as room is made', () => {
    const clock = after([
      [100, 10],
      [4_000, FULL],
      [4_001, 10],
      [4_030, FULL],
      [4_031, 10],
      [4_060, 10],
    ]);
    expect(clock.completeUntil).toBe(100);
  });

  it('trusts the socket again when the backlog has been over for a while', () => {
    expect(
      after([
        [100, 10],
        [4_000, FULL],
        [4_300, 10],
        [4_400, 10],
      ]).completeUntil,
    ).toBe(4_300);
  });

  it('keeps up with a busy connection that is read in time', () => {
    const reads = Array.from(
      { length: 100 },
      (_, index) => [index * 10, index % 2 === 0 ? FULL : 10] as const,
    );
    expect(after(reads).completeUntil).toBe(970);
  });

  it('knows that TLS delivers a record at a time', () => {
    const reads = [
      [100, 10],
      [4_000, 16_384],
    ] as const;
    expect(after(reads, true).isSlowConsumer(4_001)).toBe(true);
    expect(after(reads, true).completeUntil).toBe(100);
    expect(after(reads).isSlowConsumer(4_001)).toBe(false);
  });
});
