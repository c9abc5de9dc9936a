import { setTimeout as sleep } from 'node:timers/promises';
import type { Misconduct } from './evidence.js';
import { judge, type Verdict } from './judge.js';
import type { GapReport } from './peer.js';
import type { Random } from './random.js';
import { recoveriesOf, type Recovery } from './recovery.js';
import type { Scenario } from './scenario.js';
import { Stage } from './stage.js';
import type { Entry, Timeline } from './timeline.js';
import type { World } from './world.js';

/** Undisturbed traffic before the fault and after the repair, in ms. */
export interface Margins {
  readonly before: number;
  readonly after: number;
}

const usualMargins: Margins = { before: 1_500, after: 3_000 };

/** The outcome of one scenario. */
export interface Outcome {
  readonly scenario: string;
  readonly verdict: Verdict;
  readonly recoveries: readonly Recovery[];
  readonly misconduct: readonly Misconduct[];
  /** Why the scenario could not be played to its end: a fault of the cluster or the test, not of the peer. */
  readonly failure?: string;
  readonly timeline: readonly Entry[];
  readonly gaps: readonly GapLine[];
}

/** A reported gap, its times in ms since the start of the timeline. */
type GapLine = GapReport & { readonly subscriber: string };

/** Plays one scenario in an intact world, and judges the outcome. */
export async function play(
  scenario: Scenario,
  world: World,
  random: Random,
  timeline: Timeline,
  { before, after } = usualMargins,
): Promise<Outcome> {
  const { name, quiet = false } = scenario;
  const known = world.misconduct.length;
  world.timeline = timeline;
  await world.publish();
  await sleep(before);
  const failure = await scenario.run(new Stage(world, random)).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (failure !== undefined) timeline.add('violation', 'chaos', `the scenario failed: ${failure}`);
  await sleep(after);
  timeline.add('note', 'chaos', 'the traffic ends');
  const evidence = await world.collect();
  timeline.flush();
  const verdict = judge(evidence, { quiet, start: timeline.start });
  for (const violation of verdict.violations) timeline.add('violation', 'judge', violation);
  return {
    scenario: name,
    verdict,
    recoveries: recoveriesOf(evidence, timeline.timesOf('fault'), timeline.timesOf('promotion')),
    misconduct: world.misconduct.slice(known),
    ...(failure === undefined ? {} : { failure }),
    timeline: timeline.entries,
    gaps: evidence.subscribers.flatMap(({ name: subscriber, gaps }) =>
      gaps.map((gap): GapLine => {
        const { since, until } = gap;
        return { subscriber, ...gap, since: since - timeline.start, until: until - timeline.start };
      }),
    ),
  };
}

export function passed({ verdict, misconduct, failure }: Outcome): boolean {
  return verdict.violations.length === 0 && misconduct.length === 0 && failure === undefined;
}
