import { ClusterPubSub, type PubSubEncoding, type PubSubOptions } from '../../src/pubsub/index.js';
import { isCluster } from '../../src/pubsub/connection/startup-nodes.js';
import { Closing } from './closing.js';
import { sharedCluster } from './shared-cluster.js';

type Source = ConstructorParameters<typeof ClusterPubSub>[0];

/**
 * Returns a function that opens engines, on the shared cluster by default, and closes them afterwards. Each has
 * connections of its own, as if it were a process of its own, unless the source says otherwise.
 */
export function engines() {
  const opened = new Closing();
  return <E extends PubSubEncoding = 'utf8'>(
    options?: PubSubOptions<E>,
    source: Source = { nodes: sharedCluster() },
  ): ClusterPubSub<E> => opened.add(new ClusterPubSub<E>(apart(source), options));
}

function apart(source: Source): Source {
  return isCluster(source) ? { cluster: source, shared: false } : { shared: false, ...source };
}
