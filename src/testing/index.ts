export type { ClusterNodeView, SlotRange } from './cluster-view.js';
export { LocalClusterError, type LocalClusterErrorCode } from './errors.js';
export type { FailoverMode } from './failover.js';
export { startLocalCluster, type LocalCluster, type LocalClusterOptions } from './local-cluster.js';
export { startLocalRedis, type LocalRedis } from './local-redis.js';
export type { MoveSlotOptions } from './move-slot.js';
export type { LocalNode, NodeReference } from './node-address.js';
export type { RedisConfig } from './redis-config.js';
export type { LocalServerOptions } from './server-options.js';
