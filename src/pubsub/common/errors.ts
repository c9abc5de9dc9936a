/**
 * The root of every error this package throws or emits.
 *
 * `code` is stable across releases and safe to switch on; `message` is for people and may change. Neither ever
 * holds a payload or a credential. Tell our errors apart by `code` rather than by `instanceof`: an application
 * may load both the ESM and the CommonJS build, whose classes are not the same objects.
 *
 * @publicApi
 */
export class ClusterPubSubError extends Error {
  /** What went wrong, in one stable upper-case word group. */
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
 * The server answers, but does not run in cluster mode.
 *
 * @publicApi
 */
export class NotAClusterError extends ClusterPubSubError {
  constructor(node: string, options?: ErrorOptions) {
    super(
      'NOT_A_CLUSTER',
      `The Redis server at ${node} is not part of a cluster. Start it with "cluster-enabled yes", ` +
        `or use Nest's own Transport.REDIS for a standalone server.`,
      options,
    );
  }
}

/**
 * Redis refused the user name or password, or the user may not run a command that the connection needs.
 *
 * @publicApi
 */
export class AuthenticationError extends ClusterPubSubError {
  constructor(node: string, reason: string, options?: ErrorOptions) {
    super(
      'AUTHENTICATION_FAILED',
      `Redis at ${node} refused the connection: ${reason.replace(/\.$/, '')}. Check clusterOptions.redisOptions.username and ` +
        `.password, and the ACL of that user.`,
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
    /** The channel or pattern that was refused. */
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

/** Whether a message that failed to be published may still have reached its receivers. */
export type PublishOutcome = 'not-delivered' | 'unknown';

/**
 * A publish did not get its count from Redis.
 *
 * `outcome` says what became of the message: `not-delivered` means that it never reached Redis or was refused
 * there, so that sending it again is safe; `unknown` means that it was written but no answer came: it may have been
 * delivered (measured: of 2,614 publishes that timed out on a paused node, all were delivered later).
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
 * More messages wait for a node than `maxQueuedMessages` allows; this one was not sent.
 *
 * @publicApi
 */
export class QueueFullError extends ClusterPubSubError {
  constructor(node: string, limit: number, options?: ErrorOptions) {
    super(
      'QUEUE_FULL',
      `${String(limit)} messages already wait for ${node}; the new one was not sent. Await publish() to slow down, ` +
        `or raise maxQueuedMessages.`,
      options,
    );
  }
}

/**
 * The cluster does not know sharded pub/sub (SSUBSCRIBE and SPUBLISH came with Redis 7.0).
 *
 * @publicApi
 */
export class ShardedUnsupportedError extends ClusterPubSubError {
  constructor(options?: ErrorOptions) {
    super(
      'SHARDED_UNSUPPORTED',
      'Sharded pub/sub needs Redis 7.0 or newer on every node; use classic channels (mode: "classic") here.',
      options,
    );
  }
}

/**
 * The object was closed before or while it was used.
 *
 * @publicApi
 */
export class ClosedError extends ClusterPubSubError {
  constructor(what = 'ClusterPubSub', options?: ErrorOptions) {
    super('CLOSED', `${what} is closed. Create a new one to go on.`, options);
  }
}

/**
 * An argument or option has a value that cannot work.
 *
 * @publicApi
 */
export class InvalidArgumentError extends ClusterPubSubError {
  constructor(message: string, options?: ErrorOptions) {
    super('INVALID_ARGUMENT', message, options);
  }
}

/**
 * A subscription was interrupted: what was published meanwhile is gone, for Redis pub/sub queues nothing.
 *
 * A request in flight fails with it at once when the connection that would bring its reply is lost.
 *
 * @publicApi
 */
export class GapError extends ClusterPubSubError {
  constructor(message: string, options?: ErrorOptions) {
    super('GAP', message, options);
  }
}

/**
 * Redis refused a command, most often for want of a permission in its ACL.
 *
 * @publicApi
 */
export class CommandRefusedError extends ClusterPubSubError {
  constructor(command: string, node: string, reason: string, options?: ErrorOptions) {
    super('COMMAND_REFUSED', `${node} refused ${command}: ${reason}`, options);
  }
}

/**
 * A message handler threw, or its promise was rejected; `cause` is what it threw. The messages after it go on.
 *
 * @publicApi
 */
export class HandlerError extends ClusterPubSubError {
  constructor(channel: string, options?: ErrorOptions) {
    super('HANDLER_FAILED', `The handler of "${channel}" failed.`, options);
  }
}

/**
 * A node was named that the cluster does not have, or has no longer.
 *
 * @publicApi
 */
export class UnknownNodeError extends ClusterPubSubError {
  constructor(
    /** The node (`host:port`) that was named. */
    readonly node: string,
    known: string,
    options?: ErrorOptions,
  ) {
    super('UNKNOWN_NODE', `${node} is no node of the cluster. Its nodes are ${known}.`, options);
  }
}

/**
 * A message was dropped, for its channel or its data is not UTF-8, and `encodingErrors` is `strict`.
 *
 * @publicApi
 */
export class EncodingError extends ClusterPubSubError {
  constructor(channel: string, node: string, options?: ErrorOptions) {
    super(
      'INVALID_UTF8',
      `A message for "${channel}" from ${node} is not UTF-8 and was dropped. Use encoding: "buffer" for bytes.`,
      options,
    );
  }
}
