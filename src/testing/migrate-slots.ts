import { bestView, opinionsOf, owns, slotCount, type NodeOpinion, type SlotRange } from './cluster-view.js';
import type { ControlConnections } from './control-connections.js';
import { LocalClusterError } from './errors.js';
import { handOver, targetIn } from './move-slot.js';
import { addressOf, type NodeReference } from './node-address.js';
import { waitUntil } from './wait-until.js';

/** Slots that one master gives to another. */
interface Migration {
  readonly source: NodeOpinion;
  readonly target: NodeOpinion;
  readonly ranges: readonly SlotRange[];
}

/** Starts a migration; returns a function that reads its state, in words of the server. */
type Start = (control: ControlConnections, migration: Migration) => Promise<() => Promise<string>>;

/**
 * Moves ranges of slots and their keys to one master: all slots of a source at once where the server can do that, else
 * one after the other. Resolves when all `nodes` know the new owner.
 */
export async function migrateSlots(
  control: ControlConnections,
  ranges: readonly SlotRange[],
  to: NodeReference,
  nodes: readonly NodeReference[],
  password: string | undefined,
  timeout: number,
): Promise<void> {
  const view = await bestView(control, nodes);
  const target = targetIn(view, to);
  for (const source of view.filter(({ id, slots }) => id !== target.id && slots.length > 0)) {
    const own = source.slots.flatMap((slots) => ranges.flatMap((range) => overlapOf(slots, range)));
    if (own.length === 0) continue;
    const start = await atomicStart(control, target);
    if (start === undefined) {
      for (const slot of own.flatMap(slotsIn)) {
        await handOver(control, { slot, source, target }, view, nodes, password, timeout);
      }
    } else {
      const state = await start(control, { source, target, ranges: own });
      await awaitOwner(control, own, target, nodes, timeout, state);
    }
  }
  await awaitOwner(control, ranges, target, nodes, timeout);
}

/** Valkey 9 has a command for the source, Redis 8.4 one for the target. */
async function atomicStart(control: ControlConnections, node: NodeReference): Promise<Start | undefined> {
  const knows = async (subcommand: string): Promise<boolean> => {
    const reply = await control.call(node, 'COMMAND', 'INFO', `cluster|${subcommand}`).catch(() => null);
    return Array.isArray(reply) && Array.isArray(reply[0]);
  };
  if (await knows('migrateslots')) return exportSlots;
  return (await knows('migration')) ? importSlots : undefined;
}

const exportSlots: Start = async (control, { source, target, ranges }) => {
  await control.call(source, 'CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...ranges.flat(), 'NODE', target.id);
  // Newest first.
  return async () => String(((await control.call(source, 'CLUSTER', 'GETSLOTMIGRATIONS')) as unknown[])[0]);
};

const importSlots: Start = async (control, { target, ranges }) => {
  const task = String(await control.call(target, 'CLUSTER', 'MIGRATION', 'IMPORT', ...ranges.flat()));
  return async () => String(await control.call(target, 'CLUSTER', 'MIGRATION', 'STATUS', 'ID', task));
};

async function awaitOwner(
  control: ControlConnections,
  ranges: readonly SlotRange[],
  target: NodeOpinion,
  nodes: readonly NodeReference[],
  timeout: number,
  readState?: () => Promise<string>,
): Promise<void> {
  await waitUntil(`all nodes know that ${addressOf(target)} owns the slots`, timeout, async () => {
    // A source whose last slot has left is a replica, and does not know the migration any more.
    const state = await readState?.().catch(() => undefined);
    if (state !== undefined && /\b(failed|canceled|cancelled)\b/.test(state)) {
      throw new LocalClusterError('REFUSED', `The migration to ${addressOf(target)} ended: ${state}.`);
    }
    const views = await Promise.all(nodes.map((node) => opinionsOf(control, node)));
    const behind = views.findIndex((opinions) => {
      const owner = opinions?.find(({ id }) => id === target.id);
      return owner === undefined || !ranges.flatMap(slotsIn).every((slot) => owns(owner, slot));
    });
    return behind === -1
      ? true
      : `${addressOf(nodes[behind] ?? target)} does not yet${state === undefined ? '' : ` (${state})`}`;
  });
}

/** @throws RangeError */
export function checkRanges(ranges: readonly SlotRange[]): void {
  const isSlot = (slot: number): boolean => Number.isInteger(slot) && slot >= 0 && slot < slotCount;
  const wrong = ranges.find(([from, to]) => !isSlot(from) || !isSlot(to) || from > to);
  if (wrong !== undefined) {
    throw new RangeError(`A range is two slots from 0 to ${slotCount - 1}, received ${wrong.join('-')}.`);
  }
}

function overlapOf([from, to]: SlotRange, [first, last]: SlotRange): SlotRange[] {
  const overlap: SlotRange = [Math.max(from, first), Math.min(to, last)];
  return overlap[0] <= overlap[1] ? [overlap] : [];
}

function slotsIn([from, to]: SlotRange): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
