import { Logger } from '@nestjs/common';
import {
  type CustomTransportStrategy,
  type MessageHandler,
  type MsPattern,
  Server,
  type Transport,
} from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import type { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import { ClusterPubSubError, InvalidArgumentError } from '../../pubsub/common/errors.js';
import { readEnum } from '../../pubsub/common/validation.js';
import { sum } from '../../util/arrays.js';
import { errorLogText, errorStack } from '../../util/error-message.js';
import { CLUSTER_PUBSUB_TRANSPORT } from '../common/constants.js';
import { NotConnectedError } from '../common/errors.js';
import {
  type ClusterPubSubOptions,
  PUBSUB_MODES,
  type PubSubMode,
  type ResolvedOptions,
  resolveOptions,
} from '../common/options.js';
import {
  type ClusterPubSubStatus,
  type ClusterPubSubTransportEvents,
  EngineEvents,
} from '../connection/engine-events.js';
import { register, removeFailedServers } from '../connection/process-registry.js';
import { HandlerMetrics } from '../telemetry/handler-metrics.js';
import { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import type { ClusterPubSubServerMetrics } from '../telemetry/metrics.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import { assertRoute, ChannelNames, symbolRoute } from '../wire/channel-names.js';
import type { ProcessingHooks } from './handler-execution.js';
import { HandlerRegistry } from './handler-registry.js';
import { ServerConnection } from './server-connection.js';

/**
 * A Nest transport strategy on Redis Cluster pub/sub.
 *
 * - `listen` calls back once Redis has confirmed every subscription, or with our error and nothing left open.
 * - Request handlers reply to the requester alone, also when they throw. Requests of stock Nest Redis clients
 *   (`Transport.REDIS`, connected to any node) get the replies that they expect.
 * - Message and event handlers of one pattern both work. `*`, `?` and `[…]` in a pattern are wildcards.
 * - `close` waits up to `shutdownGracePeriod` for running handlers; after that, nothing is handled.
 *
 * ```ts
 * const app = await NestFactory.createMicroservice(AppModule, {
 *   strategy: new ClusterPubSubServer({ nodes: [{ host: '127.0.0.1', port: 7000 }] }),
 * });
 * await app.listen();
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubServer
  extends Server<ClusterPubSubTransportEvents>
  implements CustomTransportStrategy
{
  override transportId: Transport | symbol = CLUSTER_PUBSUB_TRANSPORT;
  protected override readonly logger = new Logger(ClusterPubSubServer.name);
  private readonly options: ResolvedOptions;
  private readonly names: ChannelNames;
  private readonly handlers: HandlerRegistry;
  private readonly events: EngineEvents;
  private readonly malformedLog = new MalformedMessageLog(this, (line) => this.logger.warn(line));
  private readonly handlerMetrics = new HandlerMetrics(this);
  private readonly problemLog = new RateLimitedLog((line, stack) => this.logger.error(line, stack));
  private connection: ServerConnection | undefined;
  /** Closing connections, whose handlers may still run. */
  private readonly draining = new Set<ServerConnection>();
  /** Removes the last connection, which may have failed, from the process registry. */
  private unregister: (() => void) | undefined;
  private closing: Promise<void> | undefined;

  /** @throws {InvalidArgumentError} naming the option that cannot work. */
  constructor(options: ClusterPubSubOptions) {
    super();
    this.options = resolveOptions(options);
    this.names = new ChannelNames(this.options.prefix);
    this.handlers = new HandlerRegistry(this.options.wildcards);
    this.events = new EngineEvents(this.logger, (status) => this._status$.next(status));
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    // We log failures of event handlers; this keeps Nest 12 from logging them again. Nest 11 has no such field, so it is
    // not declared.
    Object.assign(this, { propagatesEventHandlerErrors: true });
  }

  /** The current status and its changes. */
  override get status(): Observable<ClusterPubSubStatus> {
    return super.status as Observable<ClusterPubSubStatus>;
  }

  /** The number of messages dropped because they could not be decoded. */
  get malformed(): number {
    return this.malformedLog.count;
  }

  /** Counters since this server was created, and current gauges. */
  metrics(): ClusterPubSubServerMetrics {
    const { requests, events, noHandler, failed, durations } = this.handlerMetrics;
    const connections = [...this.draining, ...(this.connection === undefined ? [] : [this.connection])];
    return {
      kind: 'server',
      requests,
      events,
      noHandler,
      failed,
      malformed: this.malformed,
      running: sum(connections.map((connection) => connection.handling())),
      handlerTime: durations,
      pubsub: connections.at(-1)?.engine.metrics(),
    };
  }

  /**
   * Registers a handler. `extras` are those of the decorator: `mode`, and `nodes: 'all-masters'` for events that each
   * master publishes to its own clients only, such as keyspace notifications. Those have no prefix, and their data is text.
   *
   * @throws {InvalidArgumentError} for a pattern that cannot name a channel, and for invalid extras.
   */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const route = assertRoute(this.normalizePattern(pattern as MsPattern));
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    const isString = typeof pattern === 'string';
    if (isEventHandler) {
      this.handlers.addEvent(route, isString, callback, modeOf(route, extras), nodesOf(route, extras));
      // Nest's map holds one handler a pattern: the request handler if there are both.
      if (!this.messageHandlers.has(route)) {
        this.messageHandlers.set(route, callback);
      }
      return;
    }
    if (this.handlers.addRequest(route, isString, callback) !== undefined) {
      this.logger.warn(
        `Duplicate @MessagePattern("${route}"): the last registered handler is used, the earlier one is ignored.`,
      );
    }
    this.messageHandlers.set(route, callback);
  }

  /** Connects and subscribes all handlers, then calls back; with an error if either fails. */
  async listen(callback: (error?: unknown) => unknown): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /**
   * Stops receiving, gives running handlers `shutdownGracePeriod` to finish and reply, then disconnects. May be called
   * at any time, and more than once.
   */
  close(): Promise<void> {
    const { connection } = this;
    this.unregister?.();
    if (connection !== undefined) {
      this.connection = undefined;
      this.events.beforeClose(connection.engine);
      this.draining.add(connection);
      this.closing = connection.close().finally(() => this.draining.delete(connection));
    }
    return this.closing ?? Promise.resolve();
  }

  override on<Event extends keyof ClusterPubSubTransportEvents>(
    event: Event,
    listener: ClusterPubSubTransportEvents[Event],
  ): void {
    this.events.on(event, listener);
  }

  /**
   * Returns the underlying `ClusterPubSub`.
   *
   * @throws {NotConnectedError} before `listen()`.
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override unwrap<T = ClusterPubSub<'buffer'>>(): T {
    if (this.connection === undefined) {
      throw new NotConnectedError('Call listen() or startAllMicroservices() first.');
    }
    return this.connection.engine as T;
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return symbolRoute(pattern) ?? super.normalizePattern(pattern);
  }

  private async start(): Promise<void> {
    if (this.connection !== undefined) {
      throw new InvalidArgumentError('This server is already listening. Call close() before listen().');
    }
    const connection = this.createConnection();
    this.connection = connection;
    // At once: a server that cannot listen is a finding of the health indicator.
    this.unregister?.();
    this.unregister = register(connection);
    this.events.bind(connection.engine);
    try {
      await connection.open();
      removeFailedServers(this.options);
    } catch (error) {
      if (this.connection === connection) {
        this.connection = undefined;
      }
      await connection.fail(error);
      throw error;
    }
  }

  private createConnection(): ServerConnection {
    return new ServerConnection(this.options, {
      names: this.names,
      handlers: this.handlers,
      serializer: this.serializer,
      deserializer: this.deserializer,
      hooks: this as unknown as ProcessingHooks, // protected in Nest
      metrics: this.handlerMetrics,
      malformed: this.malformedLog,
      logger: this.logger,
      log: (route, problem, error) => this.logProblem(route, problem, error),
    });
  }

  private logProblem(route: string, problem: string, error: unknown): void {
    const line = `${problem} ("${route}")`;
    // By route, so that no handler's line suppresses another's; not by codes of the application, which are not a small
    // set. Errors of ours, such as a cluster that cannot be reached, concern all routes alike.
    const kind = error instanceof ClusterPubSubError ? `${problem} ${error.code}` : line;
    this.problemLog.log(`${line}: ${errorLogText(error)}`, kind, errorStack(error));
  }
}

function modeOf(route: string, { mode }: Record<string, unknown>): PubSubMode | undefined {
  return mode === undefined ? undefined : readEnum(`@EventPattern("${route}"): mode`, mode, PUBSUB_MODES);
}

function nodesOf(route: string, { nodes, mode }: Record<string, unknown>): 'all-masters' | undefined {
  if (nodes !== undefined && (nodes !== 'all-masters' || mode === 'sharded')) {
    throw new InvalidArgumentError(
      `@EventPattern("${route}"): nodes can only be "all-masters", and not with mode "sharded".`,
    );
  }
  return nodes;
}
