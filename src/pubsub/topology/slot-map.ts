import type { NatMap } from 'ioredis';
import type { SlotsMoved } from '../common/events.js';
import { nodeKey, parseNodeKey, type NodeKey } from '../common/node-address.js';
import type { Reply } from '../resp/reply.js';

export const SLOT_COUNT = 16_384;

/** Who owns which slot, at one moment, as one node told it. */
export interface SlotMap {
  /** Index of each slot's master in `masters`, or −1 where nobody owns it. */
  readonly owners: Int16Array;
  readonly masters: readonly NodeKey[];
  readonly replicas: readonly NodeKey[];
}

export const EMPTY_SLOT_MAP: SlotMap = {
  owners: new Int16Array(SLOT_COUNT).fill(-1),
  masters: [],
  replicas: [],
};

/**
 * Reads the answer to `CLUSTER SLOTS`: `[first, last, [host, port, id, …], [replica…]…]…`.
 *
 * A node that does not know its own address gives an empty host or null; the Redis documentation has clients use the
 * address they asked.
 */
export function readClusterSlots(reply: Reply, asked: NodeKey, natMap: NatMap | undefined): SlotMap {
  const owners = new Int16Array(SLOT_COUNT).fill(-1);
  const masters: NodeKey[] = [];
  const replicas = new Set<NodeKey>();
  for (const range of Array.isArray(reply) ? (reply as readonly Reply[]) : []) {
    const [first, last, ...nodes] = range as readonly Reply[];
    const [master, ...others] = nodes.map((node) => readNode(node, asked, natMap));
    if (master === undefined) {
      continue;
    }
    let index = masters.indexOf(master);
    if (index === -1) {
      index = masters.push(master) - 1;
    }
    owners.fill(index, first as number, (last as number) + 1);
    for (const replica of others) {
      replicas.add(replica);
    }
  }
  return { owners, masters, replicas: [...replicas].filter((node) => !masters.includes(node)) };
}

function readNode(node: Reply, asked: NodeKey, natMap: NatMap | undefined): NodeKey {
  const [rawHost, port] = node as readonly Reply[];
  const host =
    Buffer.isBuffer(rawHost) && rawHost.length > 0 ? rawHost.toString('utf8') : parseNodeKey(asked).host;
  return mapAddress(nodeKey({ host, port: port as number }), natMap);
}

/** Reads the answer `MOVED slot host:port` of `asked`; an empty host stands for the host of the one who answered. */
export function readMoved(
  text: string,
  asked: NodeKey,
  natMap: NatMap | undefined,
): { readonly slot: number; readonly owner: NodeKey } | undefined {
  const [, slot, host, port] = /^MOVED (\d+) (.*):(\d+)$/.exec(text) ?? [];
  if (slot === undefined || port === undefined) {
    return undefined;
  }
  const address = { host: host || parseNodeKey(asked).host, port: Number(port) };
  return { slot: Number(slot), owner: mapAddress(nodeKey(address), natMap) };
}

/** The address to use for the one that Redis tells, where the two differ (containers, tunnels). */
export function mapAddress(told: NodeKey, natMap: NatMap | undefined): NodeKey {
  const mapped = typeof natMap === 'function' ? natMap(told) : natMap?.[told];
  return mapped ? nodeKey(mapped) : told;
}

export function ownerIn(view: SlotMap, slot: number): NodeKey | undefined {
  return view.masters[view.owners[slot] ?? -1];
}

/** How many slots have an owner. */
export function countOwned({ owners }: SlotMap): number {
  return owners.reduce((count, owner) => (owner === -1 ? count : count + 1), 0);
}

export function isWhole(view: SlotMap): boolean {
  return !view.owners.includes(-1);
}

/** Which slots have another owner in `next` than in `previous`: one entry for each pair of owners. */
export function changesBetween(previous: SlotMap, next: SlotMap): readonly SlotsMoved[] {
  // Where each former master is in the new list, so that the loop compares numbers; "nobody" is -1 in both.
  const places = previous.masters.map((master) => {
    const place = next.masters.indexOf(master);
    return place === -1 ? GONE : place;
  });
  const changes = new Map<string, { from: NodeKey | undefined; to: NodeKey | undefined; ranges: Range[] }>();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const was = previous.owners[slot] as number;
    const is = next.owners[slot] as number;
    if ((was === -1 ? -1 : places[was]) === is) {
      continue;
    }
    const key = `${String(was)} ${String(is)}`;
    const change = changes.get(key) ?? { from: previous.masters[was], to: next.masters[is], ranges: [] };
    changes.set(key, change);
    const last = change.ranges.at(-1);
    if (last?.[1] === slot - 1) {
      last[1] = slot;
    } else {
      change.ranges.push([slot, slot]);
    }
  }
  return [...changes.values()];
}

type Range = [first: number, last: number];

/** The place of a master that is none any more. */
const GONE = -2;

export function countMoved(changes: readonly SlotsMoved[]): number {
  return changes.reduce(
    (sum, { ranges }) => ranges.reduce((all, [first, last]) => all + last - first + 1, sum),
    0,
  );
}

export function sameNodes(previous: SlotMap, next: SlotMap): boolean {
  const names = (view: SlotMap): string =>
    [...[...view.masters].sort(), '|', ...[...view.replicas].sort()].join();
  return names(previous) === names(next);
}

/** The view after one `MOVED` answer: `slot` belongs to `owner`. */
export function withOwner(view: SlotMap, slot: number, owner: NodeKey): SlotMap {
  const masters = view.masters.includes(owner) ? view.masters : [...view.masters, owner];
  const owners = view.owners.slice();
  owners[slot] = masters.indexOf(owner);
  return { owners, masters, replicas: view.replicas.filter((node) => node !== owner) };
}
