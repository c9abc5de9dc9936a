import { parseArgs } from 'node:util';
import { type PeerName, peerNames } from './peers/index.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';

export interface Arguments {
  /** Minutes of random faults; undefined: each scenario once, in order. */
  readonly minutes: number | undefined;
  readonly seed: number;
  readonly scenarios: readonly Scenario[];
  readonly peer: PeerName;
  readonly raw: boolean;
  readonly rate: number;
  /** Index (in the cluster's list) of the node that faults hit where they have a choice; undefined: a random one. */
  readonly aim: number | undefined;
  /** File for all outcomes with their timelines. */
  readonly json: string | undefined;
}

/** @throws Error with a message for the user */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      peer: { type: 'string', default: 'ours' },
      raw: { type: 'boolean', default: false },
      rate: { type: 'string', default: '2000' },
      aim: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const peer = values.peer as PeerName;
  if (!peerNames.includes(peer)) throw new Error(`No peer "${peer}". There are: ${peerNames.join(', ')}.`);
  return {
    minutes: values.minutes === undefined ? undefined : positive('minutes', values.minutes),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : positive('seed', values.seed),
    scenarios: values.only === undefined ? scenarios : values.only.split(',').map(scenarioNamed),
    peer,
    raw: values.raw,
    rate: positive('rate', values.rate),
    aim: values.aim === undefined ? undefined : positive('aim', values.aim),
    json: values.json,
  };
}

function scenarioNamed(name: string): Scenario {
  const scenario = scenarios.find((one) => one.name === name.trim());
  if (scenario === undefined) {
    throw new Error(`No scenario "${name}". There are: ${scenarios.map((one) => one.name).join(', ')}.`);
  }
  return scenario;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0, received "${text}".`);
  return value;
}
