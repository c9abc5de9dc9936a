import type { Deserializer, Serializer } from '@nestjs/microservices';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import {
  readLimits,
  readOverflowPolicy,
  type ClusterConnectionOptions,
} from '../../pubsub/common/options.js';
import { invalidValue, readBoolean, readEnum, readNumber } from '../../pubsub/common/validation.js';
import { readStartupNodes } from '../../pubsub/connection/startup-nodes.js';

/** The way events are published: to all nodes (`classic`), or within the shard that owns their channel (`sharded`). */
export type PubSubMode = 'classic' | 'sharded';

/** @internal */
export const PUBSUB_MODES: readonly PubSubMode[] = ['classic', 'sharded'];

/**
 * The options of the module, the server and the client; each uses those that concern it.
 *
 * @publicApi
 */
export interface ClusterPubSubOptions extends ClusterConnectionOptions {
  /**
   * The mode in which `emit` publishes. `classic` (default) reaches exact handlers, wildcard handlers and other programs;
   * `sharded` costs the cluster much less, but reaches exact handlers only. The mode of a record takes precedence. On
   * Redis 6, `sharded` falls back to `classic` with a warning. Does not affect requests.
   */
  mode?: PubSubMode | undefined;
  /** Prefix of every channel, so that several applications can share a cluster. No braces. Default: none. */
  prefix?: string | undefined;
  /**
   * The time a request waits for a response, in ms, before `RequestTimeoutError`; 0 disables the limit. Each value of a
   * stream restarts it. Default 30,000.
   */
  requestTimeout?: number | undefined;
  /** The size limit of an encoded packet, in bytes; a larger one fails with `PayloadTooLargeError`. Default 1,048,576. */
  maxPayload?: number | undefined;
  /**
   * Adds sequence numbers to messages, so that receivers drop duplicates and report missing messages, and messages in
   * flight when a node fails can be retransmitted. Costs some 30 bytes a message, in the `_cps` key that other programs
   * ignore; with `false`, an event without headers is byte for byte that of stock Nest. Numbers received are always used.
   * Default true.
   */
  sequence?: boolean | undefined;
  /** Whether `*`, `?` and `[…]` in a handler's string pattern are wildcards. `\` escapes them. Default true. */
  wildcards?: boolean | undefined;
  /** Nest's serializer for the packet of each message sent. Default: Nest's identity serializer. */
  serializer?: Serializer | undefined;
  /** Nest's deserializer for each packet received. Default: Nest's own for requests and for responses. */
  deserializer?: Deserializer | undefined;
}

/** @internal */
export interface ResolvedOptions {
  readonly connection: ClusterConnectionOptions;
  readonly mode: PubSubMode;
  readonly prefix: string;
  readonly requestTimeout: number;
  readonly maxPayload: number;
  readonly sequence: boolean;
  readonly shutdownGracePeriod: number;
  readonly wildcards: boolean;
}

/** The options that the encoding of a frame depends on. @internal */
export type FrameOptions = Pick<ResolvedOptions, 'maxPayload' | 'sequence'>;

/**
 * Fills in defaults.
 *
 * @internal
 * @throws {InvalidArgumentError} naming the invalid option.
 */
export function resolveOptions(options: ClusterPubSubOptions): ResolvedOptions {
  const given = options as ClusterPubSubOptions | undefined;
  if (given?.cluster === undefined && (given?.nodes === undefined || given.nodes.length === 0)) {
    throw new InvalidArgumentError(
      'No cluster to connect to: pass `nodes: [{ host, port }]`, or an ioredis Cluster as `cluster`.',
    );
  }
  const { requestTimeout = 30_000, maxPayload = 1_048_576 } = given;
  const connection = connectionOf(given);
  // The engine validates them too, but it is created on connecting, which is too late to report a mistake.
  const { shutdownGracePeriod } = readLimits(connection);
  readOverflowPolicy(connection.onOverflow);
  readBoolean('shared', connection.shared ?? true);
  readStartupNodes(connection);
  const resolved: ResolvedOptions = {
    connection,
    mode: readEnum('mode', given.mode ?? 'classic', PUBSUB_MODES),
    prefix: prefixOf(given.prefix ?? ''),
    requestTimeout: readNumber('requestTimeout', requestTimeout, 0),
    maxPayload: readNumber('maxPayload', maxPayload, 1),
    sequence: given.sequence ?? true,
    shutdownGracePeriod,
    wildcards: given.wildcards ?? true,
  };
  // It holds credentials, which must not be printed with a server or client that a diagnostics message names.
  return Object.defineProperty(resolved, 'connection', { enumerable: false });
}

/** The options of the engine. */
function connectionOf(options: ClusterPubSubOptions): ClusterConnectionOptions {
  return {
    nodes: options.nodes,
    cluster: options.cluster,
    clusterOptions: options.clusterOptions,
    connectTimeout: options.connectTimeout,
    commandTimeout: options.commandTimeout,
    maxQueuedMessages: options.maxQueuedMessages,
    onOverflow: options.onOverflow,
    probeInterval: options.probeInterval,
    probeTimeout: options.probeTimeout,
    slotMigrationTimeout: options.slotMigrationTimeout,
    shutdownGracePeriod: options.shutdownGracePeriod,
    shared: options.shared,
  };
}

function prefixOf(prefix: string): string {
  if (typeof (prefix as unknown) !== 'string') {
    throw invalidValue('prefix', 'a string', prefix);
  }
  if (/[{}]/.test(prefix)) {
    throw new InvalidArgumentError(
      `prefix "${prefix}" contains braces, which Redis Cluster reads as a hash tag: every channel would be in one slot, ` +
        'on one node. Use another separator, such as "app:".',
    );
  }
  if (prefix.includes('_cps:')) {
    throw new InvalidArgumentError(
      'prefix must not contain "_cps:", which is reserved for the channels of this package.',
    );
  }
  return prefix;
}
