import { bestView } from './cluster-view.js';
import { waitForAgreement } from './cluster-agreement.js';
import type { ControlConnections } from './control-connections.js';
import { LocalClusterError } from './errors.js';
import { addressOf, type NodeReference } from './node-address.js';

/**
 * How a replica takes over (see Redis's CLUSTER FAILOVER):
 *
 * - `planned`: agreed with the master, which hands over without losing a write; needs the master alive
 * - `force`: without the master, by a vote of the other masters
 * - `takeover`: without anybody's consent
 */
export type FailoverMode = 'planned' | 'force' | 'takeover';

/** Makes `replica` the master of its shard; resolves when every one of `nodes` has taken note. */
export async function failover(
  control: ControlConnections,
  replica: NodeReference,
  nodes: readonly NodeReference[],
  mode: FailoverMode,
  timeout: number,
): Promise<void> {
  const before = await bestView(control, [replica]);
  if (before.find(({ myself }) => myself)?.role !== 'replica') {
    throw new LocalClusterError(
      'UNKNOWN_NODE',
      `${addressOf(replica)} is no replica, so it cannot take over.`,
    );
  }
  await control.call(replica, 'CLUSTER', 'FAILOVER', ...(mode === 'planned' ? [] : [mode.toUpperCase()]));
  await waitForAgreement(control, nodes, `${addressOf(replica)} takes over`, timeout, (view) =>
    view.some(({ port, role, slots }) => port === replica.port && role === 'master' && slots.length > 0)
      ? true
      : 'does not see it as a master yet',
  );
}
