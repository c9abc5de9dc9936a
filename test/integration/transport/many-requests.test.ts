import { afterAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { sharedCluster } from '../../support/shared-cluster.js';
import { Harness, Signal } from './harness.js';

const MANY = 100_000;
const AT_ONCE = 5_000;

const harness = new Harness(sharedCluster());
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

afterAll(() => harness.close());

describe('100,000 requests that wait for their answers', () => {
  it('have one timer for all, and are all answered', async () => {
    const release = new Signal();
    let arrived = 0;
    let enough = new Signal();
    const wait = async (number: number): Promise<number> => {
      arrived += 1;
      if (arrived % AT_ONCE === 0) enough.resolve();
      await release.promise;
      return number;
    };
    // All of them are answered in one moment.
    await harness.server({ wait }, { maxQueuedMessages: MANY });
    const client = harness.client({ requestTimeout: 60_000, maxQueuedMessages: MANY });
    await client.connect();
    const timersBefore = timers();
    const answers: Promise<number>[] = [];
    while (answers.length < MANY) {
      enough = new Signal();
      for (let count = 0; count < AT_ONCE; count += 1) {
        const answer = lastValueFrom(client.send<number, number>('wait', answers.length));
        answers.push(answer.catch(() => -1));
      }
      await enough.promise;
    }
    const timersOfAll = timers() - timersBefore;
    release.resolve();

    const results = await Promise.all(answers);
    expect(results.every((answer, index) => answer === index)).toBe(true);
    // Besides the one, those of connections and probes come and go.
    expect(timersOfAll).toBeLessThan(20);
  }, 120_000);
});

describe('a burst beyond what may be in flight', () => {
  const LIMIT = 1_000;

  it('is refused from there on, at once and by name; the rest arrives', async () => {
    let handled = 0;
    await harness.server({ 'event:burst': () => (handled += 1), all: () => handled });
    const client = harness.client({ maxQueuedMessages: LIMIT });
    await client.connect();
    const outcomes = await Promise.all(
      Array.from({ length: 3 * LIMIT }, (_, number) =>
        lastValueFrom(client.emit('burst', number)).then(
          () => 'taken',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(LIMIT);
    expect(outcomes.filter((outcome) => outcome === 'QUEUE_FULL')).toHaveLength(2 * LIMIT);
    expect(outcomes.slice(0, LIMIT)).not.toContain('QUEUE_FULL');

    await lastValueFrom(client.emit('burst', 'another'));
    while (handled < LIMIT + 1) await lastValueFrom(client.send('all', ''));
    expect(handled).toBe(LIMIT + 1);
  });
});
