import { beforeEach, describe, expect, it } from '@jest/globals';
import { deferred, SingleFlight, type Deferred } from '../../../src/util/promises.js';

describe('SingleFlight', () => {
  let runs: Deferred<undefined>[];
  let flight: SingleFlight;

  beforeEach(() => {
    runs = [];
    flight = new SingleFlight(() => {
      const answer = deferred<undefined>();
      runs.push(answer);
      return answer.promise;
    });
  });

  it('runs at once for the first call, and again for a call after the run', async () => {
    const first = flight.run();
    expect(runs).toHaveLength(1);
    runs[0]!.resolve(undefined);
    await first;
    void flight.run();
    expect(runs).toHaveLength(2);
  });

  it('never gives a call the result of a run that began before it', async () => {
    const settled: string[] = [];
    const first = flight.run();
    const second = flight.run().then(() => settled.push('second'));
    runs[0]!.resolve(undefined);
    await first;
    await turn();
    expect(runs).toHaveLength(2);
    expect(settled).toEqual([]);
    runs[1]!.resolve(undefined);
    await second;
  });

  it('runs once more for all calls made during a run', async () => {
    const first = flight.run();
    const rest = Array.from({ length: 100 }, () => flight.run());
    expect(runs).toHaveLength(1);
    runs[0]!.resolve(undefined);
    await first;
    await turn();
    expect(runs).toHaveLength(2);
    runs[1]!.resolve(undefined);
    await Promise.all(rest);
    expect(runs).toHaveLength(2);
  });

  it('never has two runs at once', async () => {
    void flight.run();
    void flight.run();
    runs[0]!.resolve(undefined);
    await turn();
    void flight.run();
    void flight.run();
    expect(runs).toHaveLength(2);
    runs[1]!.resolve(undefined);
    await turn();
    expect(runs).toHaveLength(3);
  });

  it('rejects all calls that share a failed run, and no other call', async () => {
    const first = flight.run();
    const [second, third] = [flight.run(), flight.run()];
    runs[0]!.reject(new Error('the first fails'));
    await expect(first).rejects.toThrow('the first fails');
    await turn();
    runs[1]!.reject(new Error('the next fails'));
    await expect(second).rejects.toThrow('the next fails');
    await expect(third).rejects.toThrow('the next fails');
    const last = flight.run();
    runs[2]!.resolve(undefined);
    await last;
  });
});

/** Lets all that has been settled take its effect. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
