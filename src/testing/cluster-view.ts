import type { ControlConnections } from './control-connections.js';
import { loopback, type LocalNode, type NodeReference } from './node-address.js';

/** First and last slot of a range. */
export type SlotRange = readonly [from: number, to: number];

/** A node as the cluster reports it. */
export interface ClusterNodeView extends LocalNode {
  /** The node id: 40 hex digits. */
  readonly id: string;
  readonly role: 'master' | 'replica';
  /** The port of the master of a replica. */
  readonly masterPort?: number;
  /** The slots that a master owns. */
  readonly slots: readonly SlotRange[];
}

/** One line of CLUSTER NODES: one node as another one reports it. */
export interface NodeOpinion extends ClusterNodeView {
  readonly myself: boolean;
  readonly flags: readonly string[];
  readonly connected: boolean;
  readonly configEpoch: number;
}

export const slotCount = 16_384;

/** The view that `node` has of the cluster, or undefined when it does not respond. */
export async function opinionsOf(
  control: ControlConnections,
  node: NodeReference,
): Promise<NodeOpinion[] | undefined> {
  const text = await control.ask(node, 'CLUSTER', 'NODES');
  return text === undefined ? undefined : parseClusterNodes(text);
}

/**
 * The view of the node that knows the newest configuration epoch, because in Redis Cluster the newer epoch wins.
 */
export async function bestView(
  control: ControlConnections,
  nodes: readonly NodeReference[],
): Promise<NodeOpinion[]> {
  const views = await Promise.all(nodes.map((node) => opinionsOf(control, node)));
  const newest = (view: NodeOpinion[]) => Math.max(...view.map(({ configEpoch }) => configEpoch));
  const known = views.filter((view) => view !== undefined && view.length > 0) as NodeOpinion[][];
  return known.sort((a, b) => newest(b) - newest(a))[0] ?? [];
}

export function owns(node: ClusterNodeView, slot: number): boolean {
  return node.slots.some(([from, to]) => from <= slot && slot <= to);
}

export function parseClusterNodes(text: string): NodeOpinion[] {
  const lines = text.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => {
    const [id = '', address = '', flags = '', masterId = '', , , epoch = '', link = '', ...slots] =
      line.split(' ');
    // ip:port@busport, then perhaps a host name.
    const port = Number(/:(\d+)@/.exec(address)?.[1] ?? 0);
    return { id, port, flags: flags.split(','), masterId, epoch: Number(epoch), link, slots };
  });
  return rows.map(({ id, port, flags, masterId, epoch, link, slots }): NodeOpinion => {
    const replica = flags.includes('slave');
    const masterPort = rows.find((row) => row.id === masterId)?.port;
    return {
      id,
      host: loopback,
      port,
      role: replica ? 'replica' : 'master',
      ...(replica && masterPort !== undefined ? { masterPort } : {}),
      slots: slots.flatMap(parseRange),
      myself: flags.includes('myself'),
      flags,
      connected: link === 'connected',
      configEpoch: epoch,
    };
  });
}

/** `5` or `0-99`; `[93-<-id]` and `[93->-id]` mark a slot in migration, which still belongs to its source. */
function parseRange(text: string): SlotRange[] {
  if (text.startsWith('[')) return [];
  const [from, to] = text.split('-').map(Number);
  return from === undefined ? [] : [[from, to ?? from]];
}
