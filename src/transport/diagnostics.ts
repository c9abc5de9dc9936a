import type { BaseRpcContext, ReadPacket } from '@nestjs/microservices';
import type { EngineDiagnostics } from '../pubsub/diagnostics.js';
import type { HandledType } from './common/cluster-pubsub.context.js';
import type { ClusterPubSubClient } from './client/client.js';
import type { ClusterPubSubServer } from './server/server.js';

/**
 * The messages that servers, clients and engines of the process publish to `node:diagnostics_channel`, by the name of
 * the channel. Durations are in ms.
 *
 * @publicApi
 */
export interface ClusterPubSubDiagnostics extends EngineDiagnostics {
  /** A client's request was answered, failed or was cancelled. */
  'nestjs-cluster-pubsub:request': {
    readonly client: ClusterPubSubClient;
    readonly pattern: string;
    /** The object passed to the dispatch hook. It contains the payload. */
    readonly packet: ReadPacket;
    /** `cancelled`: the Observable was unsubscribed before the last reply. */
    readonly outcome: 'answered' | 'failed' | 'cancelled';
    /** The error of a failed request. */
    readonly error: unknown;
    /** From dispatch to the last reply. */
    readonly duration: number;
  };
  /** A client's event was taken by Redis, or failed. */
  'nestjs-cluster-pubsub:emit': {
    readonly client: ClusterPubSubClient;
    readonly pattern: string;
    /** The object passed to the dispatch hook. It contains the payload. */
    readonly packet: ReadPacket;
    readonly outcome: 'published' | 'failed';
    readonly error: unknown;
    readonly duration: number;
  };
  /** A server's handler, and the Observable it returned, has ended; published before Nest's processing end hook. */
  'nestjs-cluster-pubsub:handled': {
    readonly server: ClusterPubSubServer;
    /** The handler's pattern. */
    readonly pattern: string;
    readonly type: HandledType;
    /** The `ClusterPubSubContext` passed to handler and hooks. */
    readonly context: BaseRpcContext;
    /** `cancelled`: the requester cancelled, or the server closed; the handler's Observable was unsubscribed. */
    readonly outcome: 'done' | 'failed' | 'cancelled';
    readonly error: unknown;
    readonly duration: number;
  };
  /** A message was dropped because it could not be decoded. */
  'nestjs-cluster-pubsub:malformed': {
    readonly source: ClusterPubSubServer | ClusterPubSubClient;
    /** Its name on the cluster, with the prefix. */
    readonly channel: string;
    /** In bytes. */
    readonly size: number;
  };
}
