import type { ClusterNode } from 'ioredis';
import type { ClusterPubSubOptions } from 'nestjs-cluster-pubsub';

/** Options from the environment, the same for every service of the shop. */
export function clusterOptions(): ClusterPubSubOptions {
  const nodes = process.env.CLUSTER_NODES ?? '[{ "host": "127.0.0.1", "port": 7000 }]';
  return {
    nodes: JSON.parse(nodes) as ClusterNode[],
    prefix: process.env.PREFIX ?? 'shop:',
    requestTimeout: Number(process.env.REQUEST_TIMEOUT ?? 5_000),
  };
}
