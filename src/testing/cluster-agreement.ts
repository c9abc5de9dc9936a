import { opinionsOf, slotCount, type NodeOpinion } from './cluster-view.js';
import type { ControlConnections } from './control-connections.js';
import { addressOf, type NodeReference } from './node-address.js';
import { waitUntil } from './wait-until.js';

/** An additional condition on the view of every node; returns true, or what is missing in words. */
export type Expectation = (view: readonly NodeOpinion[]) => true | string;

/** The report of one node on itself and the cluster. */
interface Report {
  readonly node: NodeReference;
  readonly stateOk: boolean;
  readonly view: readonly NodeOpinion[];
  /** False on a replica whose link to its master is down. */
  readonly inStep: boolean;
  /** Ports of the nodes that it announces to clients. */
  readonly announced: ReadonlySet<unknown>;
}

/**
 * Waits until all of `nodes` report a working cluster: all of them connected, every slot owned by one of them, every
 * replica in step with its master and announced to clients, the same roles in all views, and `expectation` met.
 */
export async function waitForAgreement(
  control: ControlConnections,
  nodes: readonly NodeReference[],
  goal: string,
  timeout: number,
  expectation: Expectation = () => true,
): Promise<void> {
  await waitUntil(goal, timeout, async () => {
    const reports = await Promise.all(nodes.map((node) => reportOf(control, node)));
    for (const [index, report] of reports.entries()) {
      if (report === undefined) return `${addressOf(nodes[index] ?? { port: 0 })} does not answer`;
      const missing = whatIsMissing(report, nodes) ?? expectation(report.view);
      if (missing !== true) return `${addressOf(report.node)} ${missing}`;
    }
    // A master that restarts after its replica took over still reports itself as the master for a moment.
    const opinions = new Set(reports.map((report) => rolesIn(report?.view ?? [], nodes)));
    return opinions.size === 1 ? true : 'the nodes do not agree on their roles and slots';
  });
}

async function reportOf(control: ControlConnections, node: NodeReference): Promise<Report | undefined> {
  const [info, view, replication, slots] = await Promise.all([
    control.ask(node, 'CLUSTER', 'INFO'),
    opinionsOf(control, node),
    control.ask(node, 'INFO', 'replication'),
    control.call(node, 'CLUSTER', 'SLOTS').catch(() => undefined),
  ]);
  if (info === undefined || view === undefined || replication === undefined || slots === undefined)
    return undefined;
  return {
    node,
    view,
    stateOk: info.includes('cluster_state:ok'),
    inStep: !replication.includes('master_link_status:down'),
    announced: portsIn(slots),
  };
}

function whatIsMissing(
  { stateOk, view, inStep, announced }: Report,
  nodes: readonly NodeReference[],
): string | undefined {
  if (!stateOk) return 'reports cluster_state:fail';
  const peers = among(view, nodes);
  if (peers.length < nodes.length) return `knows ${peers.length} of ${nodes.length} nodes`;
  const unlinked = peers.find(({ flags, connected }) => !connected || flags.some(isUnsettled));
  if (unlinked !== undefined) return `has no working link to ${addressOf(unlinked)}`;
  const covered = peers.reduce(countSlots, 0);
  if (covered < slotCount) return `knows live owners for ${covered} of ${slotCount} slots`;
  if (!inStep) return 'is not in step with its master';
  // CLUSTER SLOTS omits a replica until the node knows its replication offset; clients would not know it.
  const hidden = peers.find((node) => servesSlots(node, peers) && !announced.has(node.port));
  return hidden === undefined ? undefined : `does not announce ${addressOf(hidden)} to clients`;
}

/** The roles and slots of `nodes` in one view, as text that can be compared between views. */
function rolesIn(view: readonly NodeOpinion[], nodes: readonly NodeReference[]): string {
  return among(view, nodes)
    .map(({ port, role, masterPort, slots }) => `${port} ${role} ${masterPort ?? ''} ${slots.join(' ')}`)
    .sort()
    .join('\n');
}

function among(view: readonly NodeOpinion[], nodes: readonly NodeReference[]): NodeOpinion[] {
  return view.filter(({ port }) => nodes.some((node) => node.port === port));
}

/** CLUSTER SLOTS: a list of [from, to, [host, port, …] of the master, the same of each replica]. */
function portsIn(reply: unknown): Set<unknown> {
  const ranges = reply as [from: number, to: number, ...servers: [host: string, port: number][]][];
  return new Set(ranges.flatMap(([, , ...servers]) => servers.map(([, port]) => port)));
}

function servesSlots(node: NodeOpinion, peers: readonly NodeOpinion[]): boolean {
  const master = node.role === 'master' ? node : peers.find(({ port }) => port === node.masterPort);
  return master !== undefined && master.slots.length > 0;
}

function isUnsettled(flag: string): boolean {
  return ['handshake', 'noaddr', 'fail', 'fail?'].includes(flag);
}

function countSlots(sum: number, { slots }: NodeOpinion): number {
  return slots.reduce((total, [from, to]) => total + to - from + 1, sum);
}
