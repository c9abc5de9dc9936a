import type { ClusterPubSubOptions } from 'nestjs-cluster-pubsub';
import {
  type LocalCluster,
  type LocalClusterOptions,
  startLocalCluster,
} from 'nestjs-cluster-pubsub/testing';

declare const masters: number | undefined;

export async function breakThings(): Promise<void> {
  const cluster: LocalCluster = await startLocalCluster({
    masters,
    replicas: 1,
    config: { maxclients: 100 },
  });
  const options: ClusterPubSubOptions = { nodes: cluster.nodes };
  const [master] = await cluster.masters();
  const [replica] = await cluster.replicas();
  if (master === undefined || replica === undefined || options.nodes === undefined) return;
  await cluster.pause(master);
  await cluster.resume(master);
  await cluster.failover(replica);
  await cluster.moveSlot(0, replica, { whileMoving: undefined });
  await cluster.stop();
}

/** Every option may be undefined. */
export const undefinedOptions: { [K in keyof LocalClusterOptions]-?: undefined } extends LocalClusterOptions
  ? true
  : never = true;
