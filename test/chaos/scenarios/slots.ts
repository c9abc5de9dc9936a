import calculateSlot from 'cluster-key-slot';
import { trafficPlanFor } from '../traffic-plan.js';
import type { Stage } from '../stage.js';
import type { Address } from '../nodes.js';
import type { ClusterNodeView } from '../../../src/testing/index.js';

/** Picks `count` slots of one master, those with channels of ours first. */
export function busiestSlots(master: ClusterNodeView, count: number): number[] {
  const { channels, subscriptions } = trafficPlanFor(['channel', 'pattern', 'shard']);
  const busy = new Set([...channels, ...subscriptions].map(({ name }) => calculateSlot(name)));
  const owned = master.slots.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index),
  );
  const first = owned.filter((slot) => busy.has(slot));
  const rest = owned.filter((slot) => !busy.has(slot));
  return [...first, ...rest].slice(0, count);
}

/** Moves them one after another, as a reshard does. */
export async function moveSlots(stage: Stage, slots: readonly number[], target: Address): Promise<void> {
  const started = performance.now();
  for (const slot of slots) await stage.cluster.moveSlot(slot, target);
  stage.note(`${slots.length} slots have moved in ${Math.round(performance.now() - started)} ms`);
}
