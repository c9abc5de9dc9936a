import { waitForAgreement } from './cluster-agreement.js';
import { slotCount } from './cluster-view.js';
import type { ControlConnections } from './control-connections.js';
import type { LocalClusterError } from './errors.js';
import { addressOf, type LocalNode } from './node-address.js';
import { waitUntil } from './wait-until.js';

/** The roles of the servers. */
export interface ClusterPlan {
  readonly masters: readonly LocalNode[];
  /** The replicas of the master with the same index in `masters`. */
  readonly replicas: readonly (readonly LocalNode[])[];
}

/**
 * The longest `cluster-node-timeout` while a cluster forms. Nodes send each other their state at least every half of it,
 * so that a cluster with a timeout of 60 s would take 10 s to form.
 */
const FORMING_NODE_TIMEOUT_MS = 2_000;

/** Forms a cluster of servers that do not know each other yet, like `redis-cli --cluster create`. */
export async function formCluster(
  control: ControlConnections,
  plan: ClusterPlan,
  nodeTimeout: number,
  timeout: number,
): Promise<void> {
  const nodes = [...plan.masters, ...plan.replicas.flat()];
  const isSlow = nodeTimeout > FORMING_NODE_TIMEOUT_MS;
  if (isSlow) await setNodeTimeout(control, nodes, FORMING_NODE_TIMEOUT_MS);
  await Promise.all(plan.masters.map((master, index) => giveSlots(control, master, shareOf(index, plan))));
  // Nodes that all start with epoch 0 would have to resolve their collisions one by one.
  await Promise.all(nodes.map((node, index) => control.call(node, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1)));
  await meet(control, nodes);
  await Promise.all(
    plan.masters.map(async (master, index) => {
      const id = String(await control.call(master, 'CLUSTER', 'MYID'));
      await Promise.all(
        (plan.replicas[index] ?? []).map((replica) => replicate(control, replica, id, timeout)),
      );
    }),
  );
  await waitForAgreement(control, nodes, `a cluster of ${nodes.length} nodes forms`, timeout);
  if (isSlow) await setNodeTimeout(control, nodes, nodeTimeout);
}

/** Where `rename-command` has taken CONFIG away, the cluster forms all the same. */
async function setNodeTimeout(
  control: ControlConnections,
  nodes: readonly LocalNode[],
  value: number,
): Promise<void> {
  await Promise.all(nodes.map((node) => control.ask(node, 'CONFIG', 'SET', 'cluster-node-timeout', value)));
}

/** Introduces every node to every other: by gossip alone, this takes seconds. */
async function meet(control: ControlConnections, nodes: readonly LocalNode[]): Promise<void> {
  const pairs = nodes.flatMap((node, index) => nodes.slice(index + 1).map((other) => [node, other] as const));
  await Promise.all(
    pairs.map(([node, other]) => control.call(node, 'CLUSTER', 'MEET', other.host, other.port)),
  );
}

/** Makes a node a replica as soon as it knows its master. */
async function replicate(
  control: ControlConnections,
  replica: LocalNode,
  masterId: string,
  timeout: number,
): Promise<void> {
  await waitUntil(`${addressOf(replica)} becomes a replica`, timeout, async () => {
    try {
      await control.call(replica, 'CLUSTER', 'REPLICATE', masterId);
      return true;
    } catch (error) {
      const { message } = error as LocalClusterError;
      if (message.includes('Unknown node')) return 'it does not know its master yet';
      throw error;
    }
  });
}

function shareOf(index: number, { masters }: ClusterPlan): [from: number, to: number] {
  const boundary = (position: number) => Math.round((slotCount * position) / masters.length);
  return [boundary(index), boundary(index + 1) - 1];
}

async function giveSlots(
  control: ControlConnections,
  master: LocalNode,
  [from, to]: [from: number, to: number],
): Promise<void> {
  try {
    await control.call(master, 'CLUSTER', 'ADDSLOTSRANGE', from, to);
  } catch {
    // Redis 6 has no ranges.
    const slots = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    await control.call(master, 'CLUSTER', 'ADDSLOTS', ...slots);
  }
}
