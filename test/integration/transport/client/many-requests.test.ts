import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const MANY = 20_000;
const AT_ONCE = 2_000;

const harness = transports();
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('20,000 requests that wait for their answers', () => {
  it('have one timer for all, and are all answered', async () => {
    const batches = Array.from({ length: MANY / AT_ONCE }, () => ({
      arrived: 0,
      all: new Signal(),
      go: new Signal(),
    }));
    const batchOf = (number: number) => batches[Math.floor(number / AT_ONCE)]!;
    const arrived = (number: number): void => {
      const batch = batchOf(number);
      batch.arrived += 1;
      if (batch.arrived === AT_ONCE) batch.all.resolve();
    };
    const wait = async (number: number): Promise<number> => {
      arrived(number);
      await batchOf(number).go.promise;
      return number;
    };
    // This one process is both ends, and busy for seconds.
    const patient = { commandTimeout: 30_000, probeInterval: 0 };
    await harness.server({ wait }, patient);
    const client = harness.client({ ...patient, requestTimeout: 300_000 });
    await client.connect();
    const timersBefore = timers();
    const answers: Promise<unknown>[] = [];
    for (const batch of batches) {
      for (let count = 0; count < AT_ONCE; count += 1) {
        const number = answers.length;
        const failed = (error: unknown): unknown => {
          arrived(number);
          return error;
        };
        answers.push(lastValueFrom(client.send<number, number>('wait', number)).catch(failed));
      }
      await batch.all.promise;
    }
    const timersOfAll = timers() - timersBefore;

    const failures: unknown[] = [];
    for (const [index, batch] of batches.entries()) {
      batch.go.resolve();
      const from = index * AT_ONCE;
      const got = await Promise.all(answers.slice(from, from + AT_ONCE));
      failures.push(...got.filter((answer, place) => answer !== from + place));
    }
    expect(failures).toEqual([]);
    // Besides the one, those of connections and probes come and go.
    expect(timersOfAll).toBeLessThan(20);
  }, 240_000);
});

describe('a burst beyond what may be in flight', () => {
  const LIMIT = 1_000;

  it('is rejected beyond the limit, at once and by name; the rest arrives', async () => {
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
