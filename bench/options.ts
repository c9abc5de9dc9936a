import { parseArgs } from 'node:util';
import { type ArmName, armNames } from './arms/index.js';
import type { Pace } from './session.js';

export const sections = ['requests', 'events', 'latency', 'scaling', 'profile', 'memory'] as const;
/** The sections of `--quick` without `--only`. */
const inAHurry: readonly Section[] = ['requests', 'events', 'latency'];
export type Section = (typeof sections)[number];

export interface Options {
  /** Short windows, one round and few loads: for development, not for the documents. */
  readonly quick: boolean;
  readonly sections: readonly Section[];
  readonly arms: readonly ArmName[];
  /** Part of the names of the loads of `requests` and `events` to measure. */
  readonly loads: string;
  readonly rounds: number;
  readonly seed: number;
  readonly pace: Pace;
  /** Whether results and documents are rewritten: not by a quick run, nor by one without all arms or loads. */
  readonly writes: boolean;
  /** Where to write the samples of this run. */
  readonly json: string | undefined;
}

/** @throws Error that says what is allowed */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      arms: { type: 'string' },
      loads: { type: 'string', default: '' },
      rounds: { type: 'string' },
      seed: { type: 'string', default: '4' },
      window: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  return {
    quick: values.quick,
    sections: listOf('--only', values.only, sections, values.quick ? inAHurry : sections),
    arms: listOf('--arms', values.arms, armNames),
    loads: values.loads,
    rounds: wholeNumber('--rounds', values.rounds ?? (values.quick ? '1' : '5')),
    seed: wholeNumber('--seed', values.seed),
    pace: paceOf(values.quick, values.window),
    writes: values.write || (!values.quick && values.arms === undefined && values.loads === ''),
    json: values.json,
  };
}

function listOf<T extends string>(
  name: string,
  given: string | undefined,
  all: readonly T[],
  byDefault = all,
): readonly T[] {
  if (given === undefined) return byDefault;
  const words = given.split(',');
  const unknown = words.filter((word) => !all.includes(word as T));
  if (unknown.length > 0)
    throw new Error(`${name} takes some of ${all.join(', ')}, not ${unknown.join(', ')}.`);
  return all.filter((word) => words.includes(word));
}

/** Warms up half as long as it measures. */
function paceOf(quick: boolean, given: string | undefined): Pace {
  const window = given === undefined ? (quick ? 600 : 2_000) : wholeNumber('--window', given);
  return { window, warmUp: window / 2 };
}

function wholeNumber(name: string, given: string): number {
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`${name} is a number from 1 up, not ${given}.`);
  return number;
}
