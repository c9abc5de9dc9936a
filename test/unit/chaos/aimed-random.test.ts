import { describe, expect, it } from '@jest/globals';
import { AimedRandom } from '../../chaos/aimed-random.js';
import { Random } from '../../chaos/random.js';

const nodes = [{ port: 1 }, { port: 2 }, { port: 3 }];

describe('aimed random numbers', () => {
  it('pick the node where it is among the choices, and put it first', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const chance = new AimedRandom(new Random(seed), 3);
      expect(chance.pick(nodes)).toBe(nodes[2]);
      expect(chance.shuffle(nodes)[0]).toBe(nodes[2]);
    }
  });

  it('are the given random numbers everywhere else', () => {
    const aimed = new AimedRandom(new Random(7), 9);
    const plain = new Random(7);
    expect([aimed.pick(nodes), aimed.shuffle(nodes), aimed.pick([4, 5, 6])]).toEqual([
      plain.pick(nodes),
      plain.shuffle(nodes),
      plain.pick([4, 5, 6]),
    ]);
  });
});
