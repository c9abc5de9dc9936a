import { ClusterPubSub, type PubSubEncoding, type PubSubOptions } from '../../src/pubsub/index.js';
import { Closing } from './closing.js';
import { sharedCluster } from './shared-cluster.js';

/** Returns a function that opens engines, on the shared cluster by default, and closes them afterwards. */
export function engines() {
  const opened = new Closing();
  return <E extends PubSubEncoding = 'utf8'>(
    options?: PubSubOptions<E>,
    source: ConstructorParameters<typeof ClusterPubSub>[0] = { nodes: sharedCluster() },
  ): ClusterPubSub<E> => opened.add(new ClusterPubSub<E>(source, options));
}
