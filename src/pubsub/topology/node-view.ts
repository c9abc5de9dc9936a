import type { NodeKey } from '../common/node-address.js';
import type { Reply } from '../resp/reply.js';
import { countOwned, isWhole, type SlotMap } from './slot-map.js';

/** The cluster as one node reports it, with the facts that show how far to trust the report. */
export interface NodeView {
  readonly node: NodeKey;
  readonly slotMap: SlotMap;
  /** True for `cluster_state:ok`; undefined where the ACL forbids CLUSTER INFO. */
  readonly works: boolean | undefined;
  /**
   * The highest epoch that the node has received; undefined where the ACL forbids CLUSTER INFO. Each failover and each move
   * of a slot increases it, and every packet on the cluster bus carries it: a view with a lower one is outdated.
   */
  readonly epoch: number | undefined;
}

/** Reads the reply to `CLUSTER INFO`; `undefined` where it was refused. */
export function readClusterInfo(reply: Reply | undefined): Pick<NodeView, 'works' | 'epoch'> {
  const text = Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
  const [, state] = /^cluster_state:(\w+)/m.exec(text) ?? [];
  const [, epoch] = /^cluster_current_epoch:(\d+)/m.exec(text) ?? [];
  return {
    works: state === undefined ? undefined : state === 'ok',
    epoch: epoch === undefined ? undefined : Number(epoch),
  };
}

/** True if no other node has to confirm the view. */
export function isTrustworthy(view: NodeView, knownEpoch: number): boolean {
  return isWhole(view.slotMap) && view.works !== false && !isOlder(view, knownEpoch);
}

/** True if a newer view is known already. */
export function isOlder({ epoch }: NodeView, knownEpoch: number): boolean {
  return epoch !== undefined && epoch < knownEpoch;
}

/** The better view: with all slots, then of a working cluster, then the newest, then with the most slots; else the first. */
export function preferNewer(one: NodeView, other: NodeView): NodeView {
  const difference =
    Number(isWhole(other.slotMap)) - Number(isWhole(one.slotMap)) ||
    Number(other.works !== false) - Number(one.works !== false) ||
    (one.epoch === undefined || other.epoch === undefined ? 0 : other.epoch - one.epoch) ||
    countOwned(other.slotMap) - countOwned(one.slotMap);
  return difference > 0 ? other : one;
}
