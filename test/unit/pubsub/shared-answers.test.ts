import { beforeEach, describe, expect, it } from '@jest/globals';
import { SharedAnswers } from '../../../src/pubsub/health/shared-answers.js';

describe('shared answers', () => {
  let answers: SharedAnswers<number>;
  let asked: number;
  const ask = async (): Promise<number> => ++asked;

  beforeEach(() => {
    answers = new SharedAnswers();
    asked = 0;
  });

  it('are one for those who ask at the same time, though none is to be kept', async () => {
    expect(await Promise.all([1, 2, 3].map(() => answers.get('a', 0, ask)))).toEqual([1, 1, 1]);
  });

  it('are kept for as long as asked, from when they are there', async () => {
    expect(await answers.get('a', 60_000, ask)).toBe(1);
    expect(await answers.get('a', 60_000, ask)).toBe(1);
    expect(await answers.get('b', 0, ask)).toBe(2);
    expect(await answers.get('b', 0, ask)).toBe(3);
  });

  it('belong to their question', async () => {
    expect(await Promise.all([answers.get('a', 0, ask), answers.get('b', 0, ask)])).toEqual([1, 2]);
  });

  it('are forgotten when there are too many: the one that was asked for longest ago first', async () => {
    for (let question = 0; question < 20; question += 1) {
      await answers.get(`question ${question}`, 60_000, ask);
    }
    expect(await answers.get('question 19', 60_000, ask)).toBe(20);
    expect(await answers.get('question 0', 60_000, ask)).toBe(21);
  });

  it('are all forgotten when told to', async () => {
    await answers.get('a', 60_000, ask);
    answers.clear();
    expect(await answers.get('a', 60_000, ask)).toBe(2);
  });
});
