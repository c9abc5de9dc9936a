import { afterAll, beforeEach, expect, it } from '@jest/globals';
import { type Outcome, passed, play } from '../../chaos/play.js';
import { Random } from '../../chaos/random.js';
import type { Scenario } from '../../chaos/scenario.js';
import { frozenConnection } from '../../chaos/scenarios/frozen-connection.js';
import { killMaster } from '../../chaos/scenarios/kill-master.js';
import { plannedFailover } from '../../chaos/scenarios/planned-failover.js';
import { slotMigration } from '../../chaos/scenarios/slot-migration.js';
import { Timeline } from '../../chaos/timeline.js';
import { World } from '../../chaos/world.js';

// The fault suite in short (`npm run test:chaos` is all of it): steady traffic of several processes, one fault, and
// then every message is accounted for. What happened is printed where a test fails.

const random = new Random(7);
const lines: string[] = [];
const options = { peer: 'ours', raw: false, rate: 1_000, proxies: true } as const;
let world: World | undefined;

// One world serves them all, unless a test has spoilt it.
beforeEach(async () => {
  lines.length = 0;
  world ??= await World.start(options, newTimeline());
}, 30_000);

afterAll(async () => {
  await world?.stop();
  expect(world?.misconduct ?? []).toEqual([]);
}, 20_000);

function newTimeline(): Timeline {
  return new Timeline((line) => lines.push(line));
}

async function outcomeOf(scenario: Scenario): Promise<Outcome> {
  if (world === undefined) throw new Error('There is no world.');
  const outcome = await play(scenario, world, random, newTimeline(), { before: 500, after: 1_500 });
  if (!passed(outcome)) {
    console.error(lines.join('\n'));
    await world.stop();
    world = undefined;
  }
  return outcome;
}

function expectAllAccountedFor({ verdict, misconduct, failure }: Outcome): void {
  expect(failure).toBeUndefined();
  expect(verdict.violations).toEqual([]);
  expect(misconduct).toEqual([]);
  // Every message has two subscribers.
  expect(verdict.delivered + verdict.inGap + verdict.refused).toBe(verdict.published * 2);
  expect(verdict.delivered).toBeGreaterThan(verdict.published);
}

it('loses nothing without a word when the network to one node freezes', async () => {
  expectAllAccountedFor(await outcomeOf(frozenConnection));
}, 60_000);

it('follows slots that move under load, there and back, and nobody notices', async () => {
  expectAllAccountedFor(await outcomeOf(slotMigration(30)));
}, 60_000);

it('goes through a planned failover, and nobody notices', async () => {
  expectAllAccountedFor(await outcomeOf(plannedFailover({ andBack: false })));
}, 60_000);

it('loses nothing without a word when a master is killed', async () => {
  expectAllAccountedFor(await outcomeOf(killMaster));
}, 60_000);
