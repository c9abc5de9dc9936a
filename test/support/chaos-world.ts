import { afterAll, beforeEach, expect } from '@jest/globals';
import { type Outcome, passed, play } from '../chaos/play.js';
import { Random } from '../chaos/random.js';
import type { Scenario } from '../chaos/scenario.js';
import { Timeline } from '../chaos/timeline.js';
import { World } from '../chaos/world.js';

const options = { peer: 'ours', raw: false, rate: 1_000, proxies: true } as const;

/**
 * Returns a function that plays a scenario of the fault suite in short: steady traffic of several processes, one fault,
 * and then every message must be accounted for. The timeline of a scenario that fails is printed.
 */
export function chaosWorld(): (scenario: Scenario) => Promise<void> {
  const random = new Random(7);
  const lines: string[] = [];
  const newTimeline = (): Timeline => new Timeline((line) => lines.push(line));
  let world: World | undefined;

  // One world serves all tests of a file, unless a test has spoilt it.
  beforeEach(async () => {
    lines.length = 0;
    world ??= await World.start(options, newTimeline());
  }, 30_000);

  afterAll(async () => {
    await world?.stop();
    expect(world?.misconduct ?? []).toEqual([]);
  }, 20_000);

  return async (scenario) => {
    if (world === undefined) throw new Error('The world is not running.');
    const outcome = await play(scenario, world, random, newTimeline(), { before: 500, after: 1_500 });
    if (!passed(outcome)) {
      console.error(lines.join('\n'));
      await world.stop();
      world = undefined;
    }
    expectAllAccountedFor(outcome);
  };
}

function expectAllAccountedFor({ verdict, misconduct, failure }: Outcome): void {
  expect(failure).toBeUndefined();
  expect(verdict.violations).toEqual([]);
  expect(misconduct).toEqual([]);
  // Every message has two subscribers.
  expect(verdict.delivered + verdict.inGap + verdict.refused).toBe(verdict.published * 2);
  expect(verdict.delivered).toBeGreaterThan(verdict.published);
}
