import { beforeEach, describe, expect, it } from '@jest/globals';
import { deferred, SingleFlight, type Deferred } from '../../../src/util/promises.js';

describe('SingleFlight', () => {
  let asked: Deferred<undefined>[];
  let question: SingleFlight;

  beforeEach(() => {
    asked = [];
    question = new SingleFlight(() => {
      const answer = deferred<undefined>();
      asked.push(answer);
      return answer.promise;
    });
  });

  it('asks at once for the first call, and anew for one that comes after the answer', async () => {
    const first = question.run();
    expect(asked).toHaveLength(1);
    asked[0]!.resolve(undefined);
    await first;
    void question.run();
    expect(asked).toHaveLength(2);
  });

  it('gives no call an answer to what was asked before the call', async () => {
    const settled: string[] = [];
    const first = question.run();
    const second = question.run().then(() => settled.push('second'));
    asked[0]!.resolve(undefined);
    await first;
    await turn();
    expect(asked).toHaveLength(2);
    expect(settled).toEqual([]);
    asked[1]!.resolve(undefined);
    await second;
  });

  it('asks once more for all who called while it was being answered', async () => {
    const first = question.run();
    const rest = Array.from({ length: 100 }, () => question.run());
    expect(asked).toHaveLength(1);
    asked[0]!.resolve(undefined);
    await first;
    await turn();
    expect(asked).toHaveLength(2);
    asked[1]!.resolve(undefined);
    await Promise.all(rest);
    expect(asked).toHaveLength(2);
  });

  it('never has two questions out at once', async () => {
    void question.run();
    void question.run();
    asked[0]!.resolve(undefined);
    await turn();
    void question.run();
    void question.run();
    expect(asked).toHaveLength(2);
    asked[1]!.resolve(undefined);
    await turn();
    expect(asked).toHaveLength(3);
  });

  it('tells all who share a question of its failure, and nobody else', async () => {
    const first = question.run();
    const [second, third] = [question.run(), question.run()];
    asked[0]!.reject(new Error('the first fails'));
    await expect(first).rejects.toThrow('the first fails');
    await turn();
    asked[1]!.reject(new Error('the next fails'));
    await expect(second).rejects.toThrow('the next fails');
    await expect(third).rejects.toThrow('the next fails');
    const last = question.run();
    asked[2]!.resolve(undefined);
    await last;
  });
});

/** Lets all that has been settled take its effect. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
