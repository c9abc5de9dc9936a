/**
 * The transport id of this package: what `@MessagePattern('x', CLUSTER_PUBSUB_TRANSPORT)` needs to bind a handler of a
 * hybrid application to this transport only.
 *
 * Taken from the global symbol registry, for an application may load both the ESM and the CommonJS build.
 *
 * @publicApi
 */
export const CLUSTER_PUBSUB_TRANSPORT: unique symbol = Symbol.for('nestjs-cluster-pubsub');

/** What Nest's transports answer a request with that they have no handler for. Not exported by Nest 11. */
export const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';

/** What Nest's exception filters tell the asker of an error that is not meant for it. */
export const MASKED_ERROR = { status: 'error', message: 'Internal server error' } as const;
