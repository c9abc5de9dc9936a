import type { BaseRpcContext, ReadPacket } from '@nestjs/microservices';
import { diagnosticsChannel } from '../../pubsub/common/diagnostics-channels.js';
import type { HandledType } from '../common/cluster-pubsub.context.js';

/** The end of something that took time. */
interface Ended<Outcome> {
  readonly pattern: string;
  readonly outcome: Outcome;
  readonly error: unknown;
  readonly duration: number;
}

/** The end of a handler and of the Observable that it returned. */
export interface HandledDiagnostics extends Ended<'done' | 'failed' | 'cancelled'> {
  readonly server: object;
  readonly type: HandledType;
  readonly context: BaseRpcContext;
}

/**
 * The channels that the transport publishes to. Subscribers get the types of `ClusterPubSubDiagnostics`, which name the
 * classes of client and server; here these are plain objects, so that lower layers do not import the classes.
 *
 * @internal
 */
export const TRANSPORT_DIAGNOSTICS = {
  request: diagnosticsChannel<
    Ended<'answered' | 'failed' | 'cancelled'> & { readonly client: object; readonly packet: ReadPacket }
  >('nestjs-cluster-pubsub:request'),
  emit: diagnosticsChannel<
    Ended<'published' | 'failed'> & { readonly client: object; readonly packet: ReadPacket }
  >('nestjs-cluster-pubsub:emit'),
  handled: diagnosticsChannel<HandledDiagnostics>('nestjs-cluster-pubsub:handled'),
  malformed: diagnosticsChannel<{
    readonly source: object;
    readonly channel: string;
    readonly size: number;
  }>('nestjs-cluster-pubsub:malformed'),
} as const;
