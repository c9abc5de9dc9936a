import { bestView } from './cluster-view.js';
import { waitForAgreement } from './cluster-agreement.js';
import type { ControlConnections } from './control-connections.js';
import { LocalClusterError } from './errors.js';
import { addressOf, type NodeReference } from './node-address.js';

/**
 * The way a replica takes over (see CLUSTER FAILOVER):
 *
 * - `planned`: coordinated with the master, without losing a write; requires a live master
 * - `force`: without its master, by a vote of the other masters
 * - `takeover`: without a vote
 */
export type FailoverMode = 'planned' | 'force' | 'takeover';

/**
 * Redis gives up a planned failover silently after 5 s, for example when the other masters do not vote: they vote once per
 * shard in two node timeouts, so not soon after another failover (`cluster.c`, CLUSTER_MF_TIMEOUT and voted_time).
 */
const attemptTimeout = 5_200;

/** Makes `replica` the master of its shard; resolves when all `nodes` agree. */
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
      `${addressOf(replica)} is not a replica, so it cannot take over.`,
    );
  }
  const command = ['CLUSTER', 'FAILOVER', ...(mode === 'planned' ? [] : [mode.toUpperCase()])] as const;
  await control.call(replica, ...command);
  const deadline = performance.now() + timeout;
  for (;;) {
    const left = deadline - performance.now();
    try {
      await waitForAgreement(
        control,
        nodes,
        `${addressOf(replica)} takes over`,
        Math.min(left, attemptTimeout),
        (view) =>
          view.some(
            ({ port, role, slots }) => port === replica.port && role === 'master' && slots.length > 0,
          ) || 'does not see it as a master yet',
      );
      return;
    } catch (error) {
      if (left <= attemptTimeout) throw error;
    }
    // Refused if it has become the master in the meantime and only the others do not agree yet.
    await control.call(replica, ...command).catch(() => undefined);
  }
}
