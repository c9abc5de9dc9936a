import { describe, expect, it } from '@jest/globals';
import type { Verdict } from '../../chaos/judge.js';
import { matrixOf, type RecordedOutcome } from '../../chaos/matrix.js';

const quiet: Verdict = {
  published: 10,
  delivered: 10,
  lost: 0,
  inGap: 0,
  refused: 0,
  duplicated: 0,
  outOfOrder: 0,
  deniedButDelivered: 0,
  pending: 0,
  gaps: 0,
  requests: { answered: 0, failed: {} },
  violations: [],
};
const fault = { at: 100, kind: 'fault', who: 'chaos', text: 'kill' } as const;
const end = { at: 900, kind: 'note', who: 'chaos', text: 'the traffic ends' } as const;

function outcome(verdict: Partial<Verdict>, rest: Partial<RecordedOutcome> = {}): RecordedOutcome {
  return {
    scenario: 'kill',
    verdict: { ...quiet, ...verdict },
    recoveries: [{ afterFault: 0, longestPause: 0 }],
    misconduct: [],
    timeline: [fault, end],
    ...rest,
  };
}

/** The cells of one peer in one row: recovery, lost, duplicated, disorder, signal. */
function cells(...outcomes: RecordedOutcome[]): string[] {
  const text = matrixOf(new Map([['ours', outcomes]]), [{ name: 'kill', words: 'a kill' }], () => 'us');
  const row = text.split('\n')[2] ?? '';
  return row
    .split('|')
    .slice(2, -1)
    .map((cell) => cell.trim());
}

const signal = (one: RecordedOutcome): string | undefined => cells(one)[4];
const event = (at: number) => ({ at, kind: 'event', who: 'sub0', text: '-node' }) as const;

describe('the matrix of faults and peers', () => {
  it('counts as lost what did not arrive, whether it was reported or not', () => {
    expect(cells(outcome({ lost: 1_200, inGap: 34, duplicated: 2, outOfOrder: 3 })).slice(0, 4)).toEqual([
      '0 / 0 ms',
      '1,234',
      '2',
      '3',
    ]);
  });

  it('shows the worst of several faults, and the null of JSON for a recovery that never came', () => {
    const short = { afterFault: 5, longestPause: 4 };
    const long = { afterFault: 7, longestPause: 1 };
    const never = { afterFault: null, longestPause: null };
    expect(cells(outcome({}, { recoveries: [short, long] }))[0]).toBe('7 / 4 ms');
    expect(cells(outcome({}, { recoveries: [short, never] }))[0]).toBe('not back');
  });

  it('reports that a loss was reported, how many if not all, and nothing if nothing was lost', () => {
    expect(signal(outcome({}))).toBe('–');
    expect(signal(outcome({ inGap: 5 }))).toBe('reported');
    expect(signal(outcome({ inGap: 5, lost: 1 }))).toBe('5 reported, silent');
  });

  it('distinguishes a silent loss from one with an event between fault and end', () => {
    expect(signal(outcome({ lost: 1 }, { timeline: [event(50), fault, end, event(950)] }))).toBe('silent');
    expect(signal(outcome({ lost: 1 }, { timeline: [fault, event(500), end] }))).toBe('signs');
  });

  it('counts refused messages, unsettled ones, and unhandled rejections', () => {
    const misconduct = [{ who: 'pub0', what: 'unhandled rejection: Error: no' }];
    expect(signal(outcome({ refused: 2, pending: 1 }, { misconduct }))).toBe(
      '2 refused, 1 unsettled, 1 unhandled',
    );
  });

  it('shows where a fault does not apply, or could not be played', () => {
    expect(cells()[0]).toBe('does not apply');
    expect(cells(outcome({}, { failure: 'no replica' }))[0]).toBe('not played');
  });
});
