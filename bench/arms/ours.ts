import type * as Package from 'nestjs-cluster-pubsub';
import type { Arm, Place } from '../arm.js';
import { connectNest, serveNest } from './nest-app.js';

/** By path, so that the built package is measured: under tsx its name is an alias of src. */
const built = new URL('../../dist/esm/index.js', import.meta.url).href;

/** This package with its defaults, and the given mode for events. */
export function ours(mode: Package.PubSubMode): Arm {
  const optionsAt = ({ nodes }: Place): Package.ClusterPubSubOptions => ({ nodes: [...nodes], mode });
  return {
    async serve(place, service) {
      const { ClusterPubSubServer } = await load();
      return serveNest({ strategy: new ClusterPubSubServer(optionsAt(place)) }, service);
    },
    async connect(place) {
      const { ClusterPubSubClient } = await load();
      const client = new ClusterPubSubClient(optionsAt(place));
      const nest = await connectNest(client);
      return { ...nest, arrivals: () => client.unwrap().metrics().received };
    },
  };
}

const load = async (): Promise<typeof Package> => (await import(built)) as typeof Package;
