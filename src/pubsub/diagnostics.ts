import type { ClusterPubSub } from './cluster-pubsub.js';
import type { ClusterPubSubError } from './common/errors.js';
import type { PubSubEncoding } from './common/messages.js';
import type { Gap, Interruption, Moved, PubSubStatus } from './common/events.js';
import type { ChannelName } from './common/channel-name.js';
import type { PublishCommand } from './common/publish-options.js';

interface FromEngine {
  /** The engine that publishes the message. */
  readonly pubsub: ClusterPubSub<PubSubEncoding>;
}

/**
 * Messages that every engine of the process publishes on `node:diagnostics_channel`, by the name of the channel. A
 * channel without subscribers costs nothing: no message is built for it.
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
  'nestjs-cluster-pubsub:gap': FromEngine & { readonly gap: Gap };
  /** As its `interrupted` event. */
  'nestjs-cluster-pubsub:interrupted': FromEngine & { readonly interrupted: Interruption };
  /** As its `moved` event. */
  'nestjs-cluster-pubsub:moved': FromEngine & { readonly moved: Moved };
  /** As its `status` event. */
  'nestjs-cluster-pubsub:status': FromEngine & { readonly status: PubSubStatus };
  /** As its `error` event, with or without listeners for that. */
  'nestjs-cluster-pubsub:error': FromEngine & { readonly error: ClusterPubSubError };
  /** A publish failed; `error` is its rejection. */
  'nestjs-cluster-pubsub:publish-failed': FromEngine & {
    readonly command: PublishCommand;
    readonly channel: ChannelName;
    readonly error: unknown;
  };
}
