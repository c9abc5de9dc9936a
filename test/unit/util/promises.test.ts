import { beforeEach, describe, expect, it } from '@jest/globals';
import { Backlog, deferred, SingleFlight, type Deferred } from '../../../src/util/promises.js';

describe('Backlog', () => {
  it('is flushed when all that was accepted before has left, whatever is accepted later', async () => {
    const backlog = new Backlog();
    const [first, second] = [backlog.enter(), backlog.enter()];
    const done: string[] = [];
    const flushed = backlog.flush().then(() => done.push('flushed'));
    const third = backlog.enter();
    const flushedLater = backlog.flush().then(() => done.push('flushed later'));
    first.leave();
    await turn();
    expect([done, backlog.size]).toEqual([[], 2]);
    second.leave();
    await flushed;
    expect([done, backlog.size]).toEqual([['flushed'], 1]);
    third.leave();
    await flushedLater;
    expect(backlog.size).toBe(0);
  });

  it('is flushed at once when it is empty, or all that it had has left', async () => {
    const backlog = new Backlog();
    await backlog.flush();
    backlog.enter().leave();
    await backlog.flush();
  });
});

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
