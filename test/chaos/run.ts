// npm run test:chaos: see README.md
import { writeFileSync } from 'node:fs';
import { AimedRandom } from './aimed-random.js';
import { type Arguments, readArguments } from './arguments.js';
import { type Outcome, passed, play } from './play.js';
import { judged } from './peers/index.js';
import { Random } from './random.js';
import type { Scenario } from './scenario.js';
import { tableOf } from './table.js';
import { Timeline } from './timeline.js';
import { World, type WorldOptions } from './world.js';

/** The current world, for Ctrl-C. */
let world: World | undefined;

async function main(): Promise<boolean> {
  const given = readArguments(process.argv.slice(2));
  const outcomes: Outcome[] = [];
  process.once('SIGINT', () => {
    console.log('\nInterrupted; shutting down.');
    void (world?.stop() ?? Promise.resolve()).finally(() => {
      report(given, outcomes);
      process.exit(130);
    });
  });
  console.log(`seed ${given.seed}, peer ${given.peer}${given.raw ? ', raw' : ''}, ${given.rate} messages/s`);
  const random = new Random(given.seed);
  try {
    for (const scenario of program(given, random)) {
      console.log(`\n== ${scenario.name}`);
      outcomes.push(await playIn(scenario, given, random));
    }
  } finally {
    await endLast(outcomes);
    report(given, outcomes);
  }
  const fine = given.peer === judged ? passed : ({ failure }: Outcome): boolean => failure === undefined;
  return outcomes.length > 0 && outcomes.every(fine);
}

/** Each scenario once, or scenarios at random until the time is over. */
function* program({ minutes, scenarios }: Arguments, random: Random): Generator<Scenario> {
  if (minutes === undefined) {
    yield* scenarios;
    return;
  }
  const end = performance.now() + minutes * 60_000;
  // Shuffled repeatedly, so that each is played even in a short run.
  for (;;) {
    for (const scenario of random.shuffle(scenarios)) {
      if (performance.now() >= end) return;
      yield scenario;
    }
  }
}

async function playIn(scenario: Scenario, given: Arguments, random: Random): Promise<Outcome> {
  const timeline = new Timeline((line) => console.log(line));
  const options: WorldOptions = {
    peer: given.peer,
    raw: given.raw,
    rate: given.rate,
    proxies: scenario.needs?.proxies ?? false,
    ...(scenario.needs?.slotsRefreshInterval === undefined
      ? {}
      : { slotsRefreshInterval: scenario.needs.slotsRefreshInterval }),
  };
  // A long run keeps its world as long as it can, to show what fails only after the tenth fault.
  const fits = world !== undefined && JSON.stringify(world.options) === JSON.stringify(options);
  let left: Outcome['misconduct'] = [];
  if (world !== undefined && !(fits && given.minutes !== undefined)) left = await end();
  const place = world ?? (await World.start(options, timeline, (born) => (world = born)));
  const aim = given.aim === undefined ? undefined : place.cluster.nodes[given.aim];
  const chance = aim === undefined ? random : new AimedRandom(random, aim.port);
  const outcome = await play(scenario, place, chance, timeline);
  const spoilt = (scenario.leavesTraces ?? false) || !passed(outcome) || given.minutes === undefined;
  const after = spoilt ? await end() : [];
  const misconduct = [...left, ...outcome.misconduct, ...after];
  const complete: Outcome = { ...outcome, misconduct };
  console.log(summary(complete));
  return complete;
}

/** Stops the world; resolves with the misconduct while it stopped. */
async function end(): Promise<Outcome['misconduct']> {
  const last = world;
  const known = last?.misconduct.length ?? 0;
  await last?.stop();
  world = undefined;
  return last?.misconduct.slice(known) ?? [];
}

/** Stops the world that a long run has kept; its misconduct counts for the last scenario. */
async function endLast(outcomes: Outcome[]): Promise<void> {
  const misconduct = await end();
  const last = outcomes.pop();
  if (last !== undefined) outcomes.push({ ...last, misconduct: [...last.misconduct, ...misconduct] });
}

function summary(outcome: Outcome): string {
  const { verdict } = outcome;
  return (
    `${passed(outcome) ? 'ok' : 'FAILED'}: ${verdict.published} published, ${verdict.delivered} delivered, ` +
    `${verdict.lost} lost, ${verdict.inGap} in gaps, ${verdict.refused} refused, ${verdict.duplicated} duplicated, ` +
    `${verdict.outOfOrder} out of order`
  );
}

function report({ seed, peer, raw, rate, json }: Arguments, outcomes: readonly Outcome[]): void {
  console.log(`\n${tableOf(outcomes)}\n\nseed ${seed}`);
  for (const { scenario, misconduct } of outcomes) {
    for (const { who, what } of misconduct) console.log(`${scenario}: ${who}: ${what}`);
  }
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify({ seed, peer, raw, rate, outcomes }, undefined, 2)}\n`);
  }
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
