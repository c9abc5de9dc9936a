import { parseArgs } from 'node:util';
import { type ArmName, armNames } from './arms/index.js';

export const sections = ['requests', 'events', 'latency', 'scaling'] as const;
export type Section = (typeof sections)[number];

export interface Options {
  /** Short windows, one round and few loads: for whoever changes something, not for the documents. */
  readonly quick: boolean;
  readonly sections: readonly Section[];
  readonly arms: readonly ArmName[];
  readonly rounds: number;
  readonly seed: number;
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
      rounds: { type: 'string' },
      seed: { type: 'string', default: '4' },
      json: { type: 'string' },
    },
  });
  return {
    quick: values.quick,
    sections: listOf('--only', values.only, sections),
    arms: listOf('--arms', values.arms, armNames),
    rounds: wholeNumber('--rounds', values.rounds ?? (values.quick ? '1' : '5')),
    seed: wholeNumber('--seed', values.seed),
    json: values.json,
  };
}

function listOf<T extends string>(name: string, given: string | undefined, all: readonly T[]): readonly T[] {
  if (given === undefined) return all;
  const words = given.split(',');
  const unknown = words.filter((word) => !all.includes(word as T));
  if (unknown.length > 0)
    throw new Error(`${name} takes some of ${all.join(', ')}, not ${unknown.join(', ')}.`);
  return all.filter((word) => words.includes(word));
}

function wholeNumber(name: string, given: string): number {
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`${name} is a number from 1 up, not ${given}.`);
  return number;
}
