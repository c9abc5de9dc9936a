import type { BaseRpcContext, ReadPacket } from '@nestjs/microservices';
import type { EngineDiagnostics } from '../pubsub/diagnostics.js';
import type { HandledType } from './common/cluster-pubsub.context.js';
import type { ClusterPubSubClient } from './client/client.js';
import type { ClusterPubSubServer } from './server/server.js';

/**
 * What servers, clients and engines of the process tell on `node:diagnostics_channel`, by the name of the channel.
 * Durations are in ms.
 *
 * @publicApi
 */
export interface ClusterPubSubDiagnostics extends EngineDiagnostics {
  /** A client's request is over. */
  'nestjs-cluster-pubsub:request': {
    readonly client: ClusterPubSubClient;
    readonly pattern: string;
    /** The object that the dispatch hook got. It holds the payload. */
    readonly packet: ReadPacket;
    /** `left`: the asker unsubscribed before the end. */
    readonly outcome: 'answered' | 'failed' | 'cancelled';
    /** What it failed with. */
    readonly error: unknown;
    /** From dispatch to the end, of a stream to its last value. */
    readonly duration: number;
  };
  /** Redis has taken a client's event, or has not. */
  'nestjs-cluster-pubsub:emit': {
    readonly client: ClusterPubSubClient;
    readonly pattern: string;
    /** The object that the dispatch hook got. It holds the payload. */
    readonly packet: ReadPacket;
    readonly outcome: 'published' | 'failed';
    readonly error: unknown;
    readonly duration: number;
  };
  /** A handler of a server has ended, and the Observable it gave as well. Told before Nest's processing end hook runs. */
  'nestjs-cluster-pubsub:handled': {
    readonly server: ClusterPubSubServer;
    /** The handler's pattern. */
    readonly pattern: string;
    readonly type: HandledType;
    /** The `ClusterPubSubContext` that handler and hooks got. */
    readonly context: BaseRpcContext;
    /** `left`: the asker went, or the server closed and did not wait longer; the handler's Observable was unsubscribed. */
    readonly outcome: 'done' | 'failed' | 'cancelled';
    readonly error: unknown;
    readonly duration: number;
  };
  /** A message that could not be read was dropped. */
  'nestjs-cluster-pubsub:malformed': {
    readonly source: ClusterPubSubServer | ClusterPubSubClient;
    /** As it is named on the cluster. */
    readonly channel: string;
    /** In bytes. */
    readonly size: number;
  };
}
