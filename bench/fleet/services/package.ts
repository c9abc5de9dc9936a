import type * as Package from 'nestjs-cluster-pubsub';
import type { Place } from '../service.js';

/** By path, so that the built package is measured: under tsx its name is an alias of src. */
const built = new URL('../../../dist/esm/index.js', import.meta.url).href;

export const ours = async (): Promise<typeof Package> => (await import(built)) as typeof Package;

/**
 * The same options for all parts of a service, and no others in the process: the name keeps the services of a process
 * from sharing a link, as they would not in processes of their own.
 */
export function optionsOf({ nodes }: Place, name: string): Package.ClusterPubSubOptions {
  return {
    nodes: [...nodes],
    prefix: `${name}:`,
    // A lost request is sent again at once, instead of after the usual 30 s.
    requestTimeout: 1_000,
    clusterOptions: { redisOptions: { connectionName: `fleet:${name}` } },
  };
}
