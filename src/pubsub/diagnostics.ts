import type { ClusterPubSub } from './cluster-pubsub.js';
import { diagnosticsChannel, type DiagnosticsChannel } from './common/diagnostics-channels.js';
import type { ClusterPubSubError } from './common/errors.js';
import type { Gap, Interruption, Moved, PubSubStatus, PubSubEncoding } from './common/messages.js';
import type { ChannelName } from './common/channel-name.js';
import type { PublishCommand } from './publish/publish-request.js';

interface OfEngine {
  /** The engine that tells it. */
  readonly pubsub: ClusterPubSub<PubSubEncoding>;
}

/**
 * What every engine of the process tells on `node:diagnostics_channel`, by the name of the channel. Nothing is made, let
 * alone told, on a channel without subscribers.
 *
 * @example
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 * subscribe('nestjs-cluster-pubsub:gap', (message) => {
 *   const { gap } = message as ClusterPubSubDiagnostics['nestjs-cluster-pubsub:gap'];
 * });
 * ```
 *
 * @publicApi
 */
export interface EngineDiagnostics {
  /** As the `gap` event of `ClusterPubSub`. */
  'nestjs-cluster-pubsub:gap': OfEngine & { readonly gap: Gap };
  /** As its `lost` event. */
  'nestjs-cluster-pubsub:interrupted': OfEngine & { readonly interrupted: Interruption };
  /** As its `moved` event. */
  'nestjs-cluster-pubsub:moved': OfEngine & { readonly moved: Moved };
  /** As its `status` event. */
  'nestjs-cluster-pubsub:status': OfEngine & { readonly status: PubSubStatus };
  /** As its `error` event, told whether or not that has listeners. */
  'nestjs-cluster-pubsub:error': OfEngine & { readonly error: ClusterPubSubError };
  /** A message was given up; `error` is what its publish was rejected with. */
  'nestjs-cluster-pubsub:publish-failed': OfEngine & {
    readonly command: PublishCommand;
    readonly channel: ChannelName;
    readonly error: unknown;
  };
}

export const ENGINE_DIAGNOSTICS = {
  gap: of('nestjs-cluster-pubsub:gap'),
  interrupted: of('nestjs-cluster-pubsub:interrupted'),
  moved: of('nestjs-cluster-pubsub:moved'),
  status: of('nestjs-cluster-pubsub:status'),
  error: of('nestjs-cluster-pubsub:error'),
  publishFailed: of('nestjs-cluster-pubsub:publish-failed'),
} as const;

function of<Name extends keyof EngineDiagnostics>(name: Name): DiagnosticsChannel<EngineDiagnostics[Name]> {
  return diagnosticsChannel(name);
}
