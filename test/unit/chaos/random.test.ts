import { expect, it } from '@jest/globals';
import { Random } from '../../chaos/random.js';

const take = (random: Random) => Array.from({ length: 50 }, () => random.next());

it('gives the same numbers for the same seed, and others for another', () => {
  expect(take(new Random(5))).toEqual(take(new Random(5)));
  expect(take(new Random(5))).not.toEqual(take(new Random(6)));
});

it('stays between 0 and 1, and reaches every item', () => {
  const random = new Random(1);
  expect(take(random).every((number) => number >= 0 && number < 1)).toBe(true);
  const items = ['a', 'b', 'c', 'd'];
  expect(new Set(Array.from({ length: 200 }, () => random.pick(items)))).toEqual(new Set(items));
  expect(random.shuffle(items).sort()).toEqual(items);
});
