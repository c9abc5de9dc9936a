import { expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Requesters } from '../../../../src/transport/server/requesters.js';

const MiB = 1_024 * 1_024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function memory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A string as a parser makes it: nothing else refers to it. */
const parsed = (text: string): string => JSON.parse(JSON.stringify(text)) as string;

it.each([
  ['long ids', (count: number) => `${String(count)}${'i'.repeat(120)}`],
  ['counts', (count: number) => count.toString(36)],
])(
  '8,192 requesters with 512 ids at each of 5 subscriptions take 64 MiB at most: %s',
  (_what, idOf) => {
    const before = memory();
    const requesters = new Requesters();
    let highest = 0;
    for (let index = 0; index < 8_192; index += 1) {
      const requester = requesters.at(parsed(`_cps:in:${String(index)}${'x'.repeat(100)}:{0}`));
      for (let count = 0; count < 512; count += 1) {
        const id = idOf(count);
        requester.isFirst(id);
        for (const event of ['a', 'b', 'c', 'd']) requester.isFirstWithoutHandler(id, event);
      }
      if (index % 1_000 === 0) highest = Math.max(highest, memory() - before);
    }
    highest = Math.max(highest, memory() - before);
    expect(requesters.find('unknown')).toBeUndefined();
    expect(highest / MiB).toBeLessThan(64);
  },
  120_000,
);
