import type { Deserializer, Serializer } from '@nestjs/microservices';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import {
  readLimits,
  readOverflowPolicy,
  type ClusterConnectionOptions,
} from '../../pubsub/common/options.js';
import { invalidValue, readEnum, readNumber } from '../../pubsub/common/validation.js';
import { readStartupNodes } from '../../pubsub/connection/startup-nodes.js';

/** How events travel: to all nodes (`classic`), or inside the shard that owns their channel (`sharded`). */
export type PubSubMode = 'classic' | 'sharded';

/** @internal */
export const PUBSUB_MODES: readonly PubSubMode[] = ['classic', 'sharded'];

/**
 * One set of options for the module, the server and the client; each takes what concerns it.
 *
 * @publicApi
 */
export interface ClusterPubSubOptions extends ClusterConnectionOptions {
  /**
   * How `emit` publishes. `classic` (default) reaches exact handlers, wildcard handlers and foreign subscribers;
   * `sharded` is much cheaper for the cluster, but reaches exact handlers only. A record's own mode goes first. On
   * Redis 6, `sharded` falls back to `classic` with a warning. Requests take no notice of it.
   */
  mode?: PubSubMode | undefined;
  /** Put before every channel, so that several applications can share a cluster. No braces. Default: none. */
  prefix?: string | undefined;
  /**
   * How long a request waits for its answer, in ms, before `RequestTimeoutError`; 0: for ever. Each value of a stream
   * starts it anew. Default 30,000.
   */
  requestTimeout?: number | undefined;
  /** The largest encoded packet that is sent, in bytes; a larger one is a `PayloadTooLargeError`. Default 1,048,576. */
  maxPayload?: number | undefined;
  /**
   * Number what is sent, so that receivers drop second copies and report what is missing, and messages in flight when a
   * node dies can be sent again. Costs some 30 bytes a message, in the `_cps` key that other programs ignore; with
   * `false`, an event without headers is byte for byte what stock Nest sends. Numbers are read in any case. Default true.
   */
  sequence?: boolean | undefined;
  /** How long `close()` lets running handlers finish and reply, in ms. Default 5,000. */
  shutdownGracePeriod?: number | undefined;
  /** Whether `*`, `?` and `[…]` in a handler's string pattern are wildcards. `\` escapes them. Default true. */
  wildcards?: boolean | undefined;
  /** Nest's; gets the packet of each message that is sent. Default: Nest's identity serializer. */
  serializer?: Serializer | undefined;
  /** Nest's; gets each packet that arrives. Default: Nest's own for requests and for responses. */
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

/** What the encoding of a frame depends on. @internal */
export type FrameOptions = Pick<ResolvedOptions, 'maxPayload' | 'sequence'>;

/**
 * Fills in defaults.
 *
 * @internal
 * @throws {InvalidArgumentError} naming the option that cannot work.
 */
export function resolveOptions(options: ClusterPubSubOptions): ResolvedOptions {
  const given = options as ClusterPubSubOptions | undefined;
  if (given?.cluster === undefined && (given?.nodes === undefined || given.nodes.length === 0)) {
    throw new InvalidArgumentError(
      'No cluster to connect to: give `nodes: [{ host, port }]`, or `cluster`, an ioredis Cluster of yours.',
    );
  }
  const { requestTimeout = 30_000, maxPayload = 1_048_576, shutdownGracePeriod = 5_000 } = given;
  const connection = connectionOf(given);
  // The engine reads them anew when it is made, which is too late to tell of a mistake.
  readLimits(connection);
  readOverflowPolicy(connection.onOverflow);
  readStartupNodes(connection);
  const resolved: ResolvedOptions = {
    connection,
    mode: readEnum('mode', given.mode ?? 'classic', PUBSUB_MODES),
    prefix: prefixOf(given.prefix ?? ''),
    requestTimeout: readNumber('requestTimeout', requestTimeout, 0),
    maxPayload: readNumber('maxPayload', maxPayload, 1),
    sequence: given.sequence ?? true,
    shutdownGracePeriod: readNumber('shutdownGracePeriod', shutdownGracePeriod, 0),
    wildcards: given.wildcards ?? true,
  };
  // It holds credentials: they shall not be printed with the server or client that a diagnostics message names.
  return Object.defineProperty(resolved, 'connection', { enumerable: false });
}

/** What of it is for the engine. */
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
  };
}

function prefixOf(prefix: string): string {
  if (typeof (prefix as unknown) !== 'string') {
    throw invalidValue('prefix', 'a string', prefix);
  }
  if (/[{}]/.test(prefix)) {
    throw new InvalidArgumentError(
      `prefix "${prefix}" has braces, which Redis Cluster reads as a hash tag: every channel would sit in one slot, ` +
        `on one node. Use another separator, such as "app:".`,
    );
  }
  if (prefix.includes('_cps:')) {
    throw new InvalidArgumentError(
      'prefix must not contain "_cps:", which marks the channels of this package.',
    );
  }
  return prefix;
}
