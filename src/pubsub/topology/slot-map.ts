import type { NatMap } from 'ioredis';
import type { SlotsMoved } from '../common/events.js';
import { nodeKey, parseNodeKey, type NodeKey } from '../common/node-address.js';
import type { Reply } from '../resp/reply.js';

export const SLOT_COUNT = 16_384;

/** The owners of all slots as one node reported them. */
export interface SlotMap {
  /** Index of each slot's master in `masters`, or −1 for a slot without an owner. */
  readonly owners: Int16Array;
  readonly masters: readonly NodeKey[];
  readonly replicas: readonly NodeKey[];
  /** The node ids of all these, by which a cluster is recognized, and their nodes; empty where the server names none. */
  readonly ids: ReadonlyMap<string, NodeKey>;
}

export const EMPTY_SLOT_MAP: SlotMap = {
  owners: new Int16Array(SLOT_COUNT).fill(-1),
  masters: [],
  replicas: [],
  ids: new Map(),
};

/**
 * Reads the reply to `CLUSTER SLOTS`: `[first, last, [host, port, id, …], [replica…]…]…`.
 *
 * A node that does not know its own address reports an empty host or null; the Redis documentation tells clients to use the
 * address that they queried. A node whose address was taken by another one has port 0 (`CLUSTER_NODE_NOADDR`).
 *
 * @param addressOf the last address of the node with this id, for one that has none
 */
export function readClusterSlots(
  reply: Reply,
  queried: NodeKey,
  natMap: NatMap | undefined,
  addressOf: (id: string) => NodeKey | undefined = () => undefined,
): SlotMap {
  const owners = new Int16Array(SLOT_COUNT).fill(-1);
  const masters: NodeKey[] = [];
  const replicas = new Set<NodeKey>();
  const ids = new Map<string, NodeKey>();
  for (const range of Array.isArray(reply) ? (reply as readonly Reply[]) : []) {
    const [first, last, ...nodes] = range as readonly Reply[];
    const [master, ...others] = nodes.map((node) => {
      const { id, address } = readNode(node, queried, natMap);
      const known = address ?? (id === undefined ? undefined : addressOf(id));
      if (id !== undefined && known !== undefined) {
        ids.set(id, known);
      }
      return known;
    });
    if (master === undefined) {
      continue;
    }
    let index = masters.indexOf(master);
    if (index === -1) {
      index = masters.push(master) - 1;
    }
    owners.fill(index, first as number, (last as number) + 1);
    for (const replica of others) {
      if (replica !== undefined) {
        replicas.add(replica);
      }
    }
  }
  return { owners, masters, replicas: [...replicas].filter((node) => !masters.includes(node)), ids };
}

function readNode(
  node: Reply,
  queried: NodeKey,
  natMap: NatMap | undefined,
): { readonly id: string | undefined; readonly address: NodeKey | undefined } {
  const [rawHost, port, rawId] = node as readonly Reply[];
  const host =
    Buffer.isBuffer(rawHost) && rawHost.length > 0 ? rawHost.toString('utf8') : parseNodeKey(queried).host;
  return {
    id: Buffer.isBuffer(rawId) ? rawId.toString('latin1') : undefined,
    address: port === 0 ? undefined : mapAddress(nodeKey({ host, port: port as number }), natMap),
  };
}

/** Reads the error `MOVED slot host:port` of `queried`; an empty host means the host of that node. */
export function readMoved(
  text: string,
  queried: NodeKey,
  natMap: NatMap | undefined,
): { readonly slot: number; readonly owner: NodeKey } | undefined {
  const [, slot, host, port] = /^MOVED (\d+) (.*):(\d+)$/.exec(text) ?? [];
  if (slot === undefined || port === undefined) {
    return undefined;
  }
  const address = { host: host || parseNodeKey(queried).host, port: Number(port) };
  return { slot: Number(slot), owner: mapAddress(nodeKey(address), natMap) };
}

/** The address to use for the one that Redis announces, where the two differ (containers, tunnels). */
export function mapAddress(announced: NodeKey, natMap: NatMap | undefined): NodeKey {
  const mapped = typeof natMap === 'function' ? natMap(announced) : natMap?.[announced];
  return mapped ? nodeKey(mapped) : announced;
}

export function ownerIn(map: SlotMap, slot: number): NodeKey | undefined {
  return map.masters[map.owners[slot] ?? -1];
}

/** Number of slots with an owner. */
export function countOwned({ owners }: SlotMap): number {
  return owners.reduce((count, owner) => (owner === -1 ? count : count + 1), 0);
}

/** Number of runs of slots with the same owner, which is that of the ranges that `CLUSTER SLOTS` lists. */
export function countRanges({ owners }: SlotMap): number {
  let count = 1;
  for (let slot = 1; slot < SLOT_COUNT; slot += 1) {
    count += owners[slot] === owners[slot - 1] ? 0 : 1;
  }
  return count;
}

export function isWhole(map: SlotMap): boolean {
  return !map.owners.includes(-1);
}

/** The slots whose owner differs between `previous` and `next`: one entry for each pair of owners. */
export function changesBetween(previous: SlotMap, next: SlotMap): readonly SlotsMoved[] {
  // The index of each former master in the new list, so that numbers are compared; no owner is −1 in both.
  const newIndexes = previous.masters.map((master) => {
    const index = next.masters.indexOf(master);
    return index === -1 ? REMOVED : index;
  });
  const changes = new Map<string, { from: NodeKey | undefined; to: NodeKey | undefined; ranges: Range[] }>();
  for (let first = 0; first < SLOT_COUNT;) {
    const was = previous.owners[first] as number;
    const is = next.owners[first] as number;
    const end = endOfRun(previous.owners, next.owners, first);
    if ((was === -1 ? -1 : newIndexes[was]) !== is) {
      const key = `${String(was)} ${String(is)}`;
      const change = changes.get(key) ?? { from: previous.masters[was], to: next.masters[is], ranges: [] };
      changes.set(key, change);
      change.ranges.push([first, end - 1]);
    }
    first = end;
  }
  return [...changes.values()];
}

/** The first slot after `first` whose owner differs in either. All slots are compared, so there is nothing else in the loop. */
function endOfRun(one: Int16Array, other: Int16Array, first: number): number {
  const [ownerInOne, ownerInOther] = [one[first], other[first]];
  let end = first + 1;
  while (end < SLOT_COUNT && one[end] === ownerInOne && other[end] === ownerInOther) {
    end += 1;
  }
  return end;
}

type Range = [first: number, last: number];

/** The new index of a former master that is no longer a master. */
const REMOVED = -2;

export function countMoved(changes: readonly SlotsMoved[]): number {
  return changes.reduce(
    (sum, { ranges }) => ranges.reduce((all, [first, last]) => all + last - first + 1, sum),
    0,
  );
}

export function sameNodes(previous: SlotMap, next: SlotMap): boolean {
  const names = (map: SlotMap): string =>
    [...[...map.masters].sort(), '|', ...[...map.replicas].sort()].join();
  return names(previous) === names(next);
}

/** True if the same nodes have the same ids: one may have been replaced at its address. */
export function sameIds({ ids: one }: SlotMap, { ids: other }: SlotMap): boolean {
  return one.size === other.size && [...one.keys()].every((id) => other.has(id));
}

/** True if each slot has the same owner in both, and both have the same nodes. */
export function sameSlotMap(one: SlotMap, other: SlotMap): boolean {
  return changesBetween(one, other).length === 0 && sameNodes(one, other) && sameIds(one, other);
}

/** The slot map after a `MOVED`: `slot` belongs to `owner`. */
export function withOwner(map: SlotMap, slot: number, owner: NodeKey): SlotMap {
  const masters = map.masters.includes(owner) ? map.masters : [...map.masters, owner];
  const owners = map.owners.slice();
  owners[slot] = masters.indexOf(owner);
  return { owners, masters, replicas: map.replicas.filter((node) => node !== owner), ids: map.ids };
}
