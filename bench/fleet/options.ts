import { parseArgs } from 'node:util';
import { kinds, type Kind } from './service.js';

export interface FleetOptions {
  /** Numbers of links, from few to many. */
  readonly links: readonly number[];
  /** Length of an idle interval. */
  readonly seconds: number;
  readonly kinds: readonly Kind[];
  /** Whether results and document are rewritten. */
  readonly writes: boolean;
}

/** @throws Error that says what is allowed */
export function readOptions(args: readonly string[]): FleetOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      links: { type: 'string', default: '1,50,200' },
      seconds: { type: 'string', default: '12' },
      kinds: { type: 'string', default: kinds.join() },
      'no-write': { type: 'boolean', default: false },
    },
  });
  const asked = values.kinds.split(',');
  const unknown = asked.filter((name) => !kinds.includes(name as Kind));
  if (unknown.length > 0)
    throw new Error(`--kinds takes some of ${kinds.join(', ')}, not ${unknown.join(', ')}.`);
  return {
    links: values.links
      .split(',')
      .map((number) => wholeNumber('--links', number))
      .sort((a, b) => a - b),
    seconds: wholeNumber('--seconds', values.seconds),
    kinds: kinds.filter((kind) => asked.includes(kind)),
    writes: !values['no-write'],
  };
}

function wholeNumber(name: string, given: string): number {
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name}: a number from 1 up, not ${given}.`);
  return number;
}
