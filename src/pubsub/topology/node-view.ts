import type { NodeKey } from '../common/node-address.js';
import type { Reply } from '../resp/reply.js';
import { countOwned, isWhole, type SlotMap } from './slot-map.js';

/** What one node says of the cluster, and what speaks for believing it. */
export interface NodeView {
  readonly node: NodeKey;
  readonly view: SlotMap;
  /** Whether the cluster works in the eyes of the node; undefined where it may not be asked. */
  readonly works: boolean | undefined;
  /**
   * The highest epoch that the node has heard of; undefined where it may not be asked. Each failover and each move of a
   * slot has a higher one than the last, and every packet on the cluster bus carries it: a lower one is old news.
   */
  readonly epoch: number | undefined;
}

/** Reads the answer to `CLUSTER INFO`, or what stands for it where the question was refused. */
export function readClusterInfo(reply: Reply | undefined): Pick<NodeView, 'works' | 'epoch'> {
  const text = Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
  const [, state] = /^cluster_state:(\w+)/m.exec(text) ?? [];
  const [, epoch] = /^cluster_current_epoch:(\d+)/m.exec(text) ?? [];
  return {
    works: state === undefined ? undefined : state === 'ok',
    epoch: epoch === undefined ? undefined : Number(epoch),
  };
}

/** Whether the account needs no second opinion, where `known` is the epoch of the view that we have. */
export function isTrustworthy(account: NodeView, known: number): boolean {
  return isWhole(account.view) && account.works !== false && !isOlder(account, known);
}

/** Whether we have known better already. */
export function isOlder({ epoch }: NodeView, known: number): boolean {
  return epoch !== undefined && epoch < known;
}

/** The one to go by: of all slots, then of a working cluster, then the newest, then of the most slots; else the first. */
export function preferNewer(one: NodeView, other: NodeView): NodeView {
  const difference =
    Number(isWhole(other.view)) - Number(isWhole(one.view)) ||
    Number(other.works !== false) - Number(one.works !== false) ||
    (one.epoch === undefined || other.epoch === undefined ? 0 : other.epoch - one.epoch) ||
    countOwned(other.view) - countOwned(one.view);
  return difference > 0 ? other : one;
}
