/**
 * The transport id of this package: `@MessagePattern('x', CLUSTER_PUBSUB_TRANSPORT)` binds a handler of a hybrid application
 * to this transport only.
 *
 * From the global symbol registry, because an application may load both the ESM and the CommonJS build.
 *
 * @publicApi
 */
export const CLUSTER_PUBSUB_TRANSPORT: unique symbol = Symbol.for('nestjs-cluster-pubsub');

/** The error that Nest's transports reply to a request without a handler. Not exported by Nest 11. */
export const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';

/** The error that Nest's exception filters send instead of one whose text may be confidential. */
export const MASKED_ERROR = { status: 'error', message: 'Internal server error' } as const;
