import { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import type { ResolvedOptions } from '../common/options.js';
import { FRAME_STAMP_CODEC } from '../wire/frame.js';

/** The engine of one server or client connection. @internal */
export type TransportEngine = ClusterPubSub<'buffer'>;

/** Creates an engine that puts its sequence numbers where our frames have room for them. @internal */
export function createEngine({ connection, sequence, prefix }: ResolvedOptions): TransportEngine {
  return new ClusterPubSub(
    connection,
    { encoding: 'buffer', ignoreSubscribeMessages: true, sequence },
    { stamps: FRAME_STAMP_CODEC, prefix },
  );
}
