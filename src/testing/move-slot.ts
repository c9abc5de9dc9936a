import { bestView, opinionsOf, owns, type NodeOpinion } from './cluster-view.js';
import type { ControlConnections } from './control-connections.js';
import { LocalClusterError } from './errors.js';
import { addressOf, loopback, type NodeReference } from './node-address.js';
import { waitUntil } from './wait-until.js';

const keysPerMigrate = 100;

/** Time limit for one MIGRATE, in ms. */
const migrateTimeout = 5_000;

/** How long the nodes may take to agree before the new owner claims its slots under a higher epoch, in ms. */
const claimInterval = 1_500;

/** The migration of a slot from one master to another. */
export interface Move {
  readonly slot: number;
  readonly source: NodeOpinion;
  readonly target: NodeOpinion;
}

export interface MoveSlotOptions {
  /**
   * Runs while the slot is MIGRATING on its source and IMPORTING on its target, before the keys are moved. The slot stays
   * in this state until the returned promise resolves.
   */
  readonly whileMoving?: (() => void | Promise<void>) | undefined;
}

/**
 * Moves one slot and its keys to another master while clients are connected, in the steps of
 * `redis-cli --cluster reshard`. Resolves when all `nodes` know the new owner.
 */
export async function moveSlot(
  control: ControlConnections,
  slot: number,
  to: NodeReference,
  nodes: readonly NodeReference[],
  password: string | undefined,
  timeout: number,
  { whileMoving }: MoveSlotOptions = {},
): Promise<void> {
  let view = await bestView(control, nodes);
  let source = ownerOfSlot(view, slot);
  const target = targetIn(view, to);
  if (source.id === target.id) return;
  // Soon after another move a node may receive an outdated message, and change its mind once more: all are asked again.
  await waitUntil(`${addressOf(source)} reports that it owns slot ${slot}`, timeout, async () => {
    const owner = ownerIn(await opinionsOf(control, source), slot);
    if (owner?.id === source.id) return true;
    view = await bestView(control, nodes);
    source = ownerOfSlot(view, slot);
    return 'it reports another owner';
  });
  if (source.id === target.id) return;

  await handOver(control, { slot, source, target }, view, nodes, password, timeout, whileMoving);
  let claimAgainAt = performance.now() + claimInterval;
  await waitUntil(`all nodes know that slot ${slot} moved`, timeout, async () => {
    const views = await Promise.all(nodes.map((node) => opinionsOf(control, node)));
    const behind = views.findIndex((opinions) => ownerIn(opinions, slot)?.id !== target.id);
    if (behind === -1) return true;
    if (performance.now() > claimAgainAt) {
      // Another node has taken the same epoch at the same time, and some nodes trust that one.
      await control.call(target, 'CLUSTER', 'BUMPEPOCH');
      claimAgainAt = performance.now() + claimInterval;
    }
    return `${addressOf(nodes[behind] ?? target)} does not yet`;
  });
}

function ownerOfSlot(view: readonly NodeOpinion[], slot: number): NodeOpinion {
  const owner = view.find((node) => owns(node, slot));
  if (owner === undefined) throw new LocalClusterError('UNKNOWN_NODE', `Slot ${slot} has no owner.`);
  return owner;
}

/** @throws LocalClusterError `UNKNOWN_NODE` */
export function targetIn(view: readonly NodeOpinion[], to: NodeReference): NodeOpinion {
  const target = view.find(({ port }) => port === to.port);
  if (target?.role !== 'master') {
    throw new LocalClusterError('UNKNOWN_NODE', `${addressOf(to)} is not a master, so it cannot own a slot.`);
  }
  return target;
}

/** The steps of a move. Some of `nodes` may not know the new owner yet when it resolves. */
export async function handOver(
  control: ControlConnections,
  move: Move,
  view: readonly NodeOpinion[],
  nodes: readonly NodeReference[],
  password: string | undefined,
  timeout: number,
  whileMoving?: MoveSlotOptions['whileMoving'],
): Promise<void> {
  const { target } = move;
  const masters = view.filter(
    ({ role, port }) => role === 'master' && nodes.some((node) => node.port === port),
  );
  await open(control, move);
  await whileMoving?.();
  await moveKeys(control, move, password);
  // It claims the slot under a new epoch, one above the highest that it knows. If another node has taken the same epoch in
  // the meantime, some nodes keep trusting that one.
  await waitUntil(`${addressOf(target)} knows the highest epoch`, timeout, async () => {
    const [own, ...all] = await Promise.all([target, ...nodes].map((node) => currentEpoch(control, node)));
    return (own ?? 0) >= Math.max(...all) ? true : 'it does not';
  });
  await close(control, move, masters);
}

/** The target first: the source redirects clients to it as soon as it is migrating. */
async function open(control: ControlConnections, { slot, source, target }: Move): Promise<void> {
  await control.call(target, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
  await control.call(source, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
}

async function moveKeys(
  control: ControlConnections,
  { slot, source, target }: Move,
  password: string | undefined,
): Promise<void> {
  const auth = password === undefined ? [] : ['AUTH', password];
  for (;;) {
    const keys = (await control.callBuffer(
      source,
      'CLUSTER',
      'GETKEYSINSLOT',
      slot,
      keysPerMigrate,
    )) as Buffer[];
    if (keys.length === 0) return;
    const destination = [loopback, target.port, '', 0, migrateTimeout] as const;
    await control.call(source, 'MIGRATE', ...destination, 'REPLACE', ...auth, 'KEYS', ...keys);
  }
}

async function currentEpoch(control: ControlConnections, node: NodeReference): Promise<number> {
  const info = await control.ask(node, 'CLUSTER', 'INFO');
  return Number(/cluster_current_epoch:(\d+)/.exec(info ?? '')?.[1] ?? 0);
}

/** In the order target, source, others the slot has an owner at any time. */
async function close(
  control: ControlConnections,
  { slot, source, target }: Move,
  masters: readonly NodeOpinion[],
): Promise<void> {
  const others = masters.filter(({ id }) => id !== source.id && id !== target.id);
  await control.call(target, 'CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
  for (const node of [source, ...others]) {
    try {
      await control.call(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
    } catch (error) {
      // A master whose last slot has left becomes a replica of the new owner, as soon as it hears of that on the bus.
      const self = (await opinionsOf(control, node))?.find(({ myself }) => myself);
      if (self?.role !== 'replica') throw error;
    }
  }
}

function ownerIn(view: readonly NodeOpinion[] | undefined, slot: number): NodeOpinion | undefined {
  return view?.find((node) => owns(node, slot));
}
