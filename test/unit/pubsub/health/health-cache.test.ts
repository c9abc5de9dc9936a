import { beforeEach, describe, expect, it } from '@jest/globals';
import { MOST_ANSWERS, HealthCache } from '../../../../src/pubsub/health/health-cache.js';

describe('shared answers', () => {
  let answers: HealthCache<string, number>;
  let asked: number;
  const get = (question: string, cacheTtl: number, ask = async () => ++asked): Promise<number> =>
    answers.find((known) => known === question) ?? answers.ask(question, cacheTtl, ask);

  beforeEach(() => {
    answers = new HealthCache();
    asked = 0;
  });

  it('are one for those who ask at the same time, though none is to be kept', async () => {
    expect(await Promise.all([1, 2, 3].map(() => get('a', 0)))).toEqual([1, 1, 1]);
  });

  it('are kept for as long as asked, from when they are there', async () => {
    expect(await get('a', 60_000)).toBe(1);
    expect(await get('a', 60_000)).toBe(1);
    expect(await get('b', 0)).toBe(2);
    expect(await get('b', 0)).toBe(3);
  });

  it('belong to their question', async () => {
    expect(await Promise.all([get('a', 0), get('b', 0)])).toEqual([1, 2]);
  });

  it('are forgotten when there are too many: the one that would be first anyway', async () => {
    await get('of an hour', 3_600_000);
    for (let question = 1; question <= MOST_ANSWERS; question += 1) await get(`question ${question}`, 60_000);
    expect(await get('of an hour', 3_600_000)).toBe(1);
    expect(await get(`question ${MOST_ANSWERS}`, 60_000)).toBe(1 + MOST_ANSWERS);
    expect(await get('question 1', 60_000)).toBe(2 + MOST_ANSWERS);
  });

  it('are kept though many others have come that hold no longer', async () => {
    await get('a', 60_000);
    for (let question = 0; question < 3 * MOST_ANSWERS; question += 1) await get(`question ${question}`, 0);
    expect(await get('a', 60_000)).toBe(1);
  });

  it('are shared while they are awaited, however many there are', async () => {
    let answer!: (value: number) => void;
    const awaited = get('a', 60_000, () => new Promise((resolve) => (answer = resolve)));
    for (let question = 0; question < 2 * MOST_ANSWERS; question += 1) {
      void get(`question ${question}`, 0, () => new Promise(() => undefined));
    }
    expect(get('a', 60_000)).toBe(awaited);
    answer(7);
    expect(await awaited).toBe(7);
  });

  it('are all forgotten when told to', async () => {
    await get('a', 60_000);
    answers.clear();
    expect(await get('a', 60_000)).toBe(2);
  });
});
