import { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import type { Engine } from './engine-events.js';
import { FRAME_STAMP_CODEC } from '../wire/frame-stamp-codec.js';
import type { ResolvedOptions } from '../common/options.js';

/** The engine of one session, which numbers what it publishes the way frames have room for. @internal */
export function createEngine({ connection, sequence, prefix }: ResolvedOptions): Engine {
  return new ClusterPubSub(
    connection,
    { encoding: 'buffer', ignoreSubscribeMessages: true, sequence },
    { stamps: FRAME_STAMP_CODEC, prefix },
  );
}
