import { Logger } from '@nestjs/common';
import {
  type BaseRpcContext,
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
import { errorMessage, errorStack, errorLogText } from '../../util/error-message.js';
import { InFlightHandlers } from './in-flight-handlers.js';
import { ChannelNames, isReserved } from '../wire/channel-names.js';
import { CLUSTER_PUBSUB_TRANSPORT } from '../common/constants.js';
import {
  type ClusterPubSubStatus,
  type ClusterPubSubTransportEvents,
  type Engine,
  EngineEvents,
} from '../connection/engine-events.js';
import { NotConnectedError } from '../common/errors.js';
import { mappedHandlerLines } from './startup-log.js';
import { HandlerRegistry } from './handler-registry.js';
import { HandlerMetrics } from '../telemetry/handler-metrics.js';
import { type Absence, forgetFailedServers, register } from '../connection/process-registry.js';
import { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import type { ClusterPubSubServerMetrics } from '../telemetry/metrics.js';
import { createEngine } from '../connection/create-engine.js';
import {
  type ClusterPubSubOptions,
  PUBSUB_MODES,
  type PubSubMode,
  type ResolvedOptions,
  resolveOptions,
} from '../common/options.js';
import type { ProcessingHooks } from './processing-hooks.js';
import { settledWithin } from '../../util/promises.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import { MessageRouter } from './message-router.js';
import { ReplyPublisher } from './reply-publisher.js';
import { assertRoute, symbolRoute } from '../wire/pattern-route.js';
import { fallbackWarning, handlerSubscriptionsOfAll, subscribeHandlers } from './handler-subscriptions.js';

/** How long the answers of handlers that did not finish in time get to reach Redis, in ms. */
const LAST_WORDS = 500;

/** What is open between `listen()` and `close()`. */
interface ServerConnection {
  readonly engine: Engine;
  readonly work: InFlightHandlers;
  receiver: MessageRouter | undefined;
  /** The names on the cluster of what its handlers listen to. */
  channels: readonly string[];
  absence: Absence | undefined;
}

/**
 * A Nest transport strategy on Redis Cluster pub/sub.
 *
 * - `listen` calls back once Redis has confirmed every subscription, or with our error and nothing left open.
 * - Request handlers answer the asker alone; a handler that throws answers too. Requests of stock Nest Redis clients
 *   (`Transport.REDIS`, at any node) are answered the way they expect.
 * - Message and event handlers of one pattern both work. `*`, `?` and `[…]` in a pattern are wildcards.
 * - `close` lets running handlers finish for `shutdownGracePeriod`; after it nothing is handled.
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
  private readonly registry: HandlerRegistry;
  private readonly events: EngineEvents;
  private readonly malformedLog = new MalformedMessageLog(this, (line) => this.logger.warn(line));
  private readonly handlings = new HandlerMetrics(this);
  private readonly problems = new RateLimitedLog((line, stack) => this.logger.error(line, stack));
  private session: ServerConnection | undefined;
  /** Whose handlers may still run. */
  private readonly draining = new Set<ServerConnection>();
  /** Takes the last session, also one that failed, out of what the health indicator sees. */
  private leave: (() => void) | undefined;
  private closing: Promise<void> | undefined;

  /** @throws {InvalidArgumentError} naming the option that cannot work. */
  constructor(options: ClusterPubSubOptions) {
    super();
    this.options = resolveOptions(options);
    this.names = new ChannelNames(this.options.prefix);
    this.registry = new HandlerRegistry(this.options.wildcards);
    this.events = new EngineEvents(this.logger, (status) => this._status$.next(status));
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    // We log failing event handlers, on Nest 11 as on 12; Nest 12 is not to do so a second time. Nest 11 has no such
    // field, which is why it is not declared.
    Object.assign(this, { propagatesEventHandlerErrors: true });
  }

  /** How the connection is doing, now and from now on; each change once. */
  override get status(): Observable<ClusterPubSubStatus> {
    return super.status as Observable<ClusterPubSubStatus>;
  }

  /** How many messages could not be read, and were dropped. */
  get malformed(): number {
    return this.malformedLog.count;
  }

  /** What was counted since this server was made, and what is the case now. */
  metrics(): ClusterPubSubServerMetrics {
    const { requests, events, noHandler: declined, failed, times } = this.handlings;
    const sessions = [...this.draining, ...(this.session === undefined ? [] : [this.session])];
    return {
      kind: 'server',
      requests,
      events,
      noHandler: declined,
      failed,
      malformed: this.malformed,
      running: sessions.reduce((sum, { work }) => sum + work.size, 0),
      handlerTime: times,
      pubsub: sessions.at(-1)?.engine.metrics(),
    };
  }

  /**
   * `extras` are those of the decorator: `mode`, and `nodes: 'all-masters'` for events that each master tells its own
   * clients alone, such as keyspace notifications. Those have no prefix, and their data is text.
   *
   * @throws {InvalidArgumentError} for a pattern that cannot name a channel, and extras that cannot work.
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
      this.registry.addEvent(route, isString, callback, modeOf(route, extras), nodesOf(route, extras));
      // Nest's map has room for one handler a pattern: the request handler, where there are both.
      if (!this.messageHandlers.has(route)) {
        this.messageHandlers.set(route, callback);
      }
      return;
    }
    if (this.registry.addRequest(route, isString, callback) !== undefined) {
      this.logger.warn(
        `Two message handlers for the pattern "${route}": the one added last answers, the first is never called.`,
      );
    }
    this.messageHandlers.set(route, callback);
  }

  /** Connects and subscribes, then calls back; with an error if either fails. */
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
   * Stops taking messages, gives running handlers `shutdownGracePeriod` to finish and reply, then closes the
   * connections. Safe at any time, and more than once.
   */
  close(): Promise<void> {
    const session = this.session;
    this.leave?.();
    if (session !== undefined) {
      this.session = undefined;
      this.events.leave(session.engine);
      this.draining.add(session);
      this.closing = this.shutDown(session).finally(() => this.draining.delete(session));
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
   * The `ClusterPubSub` underneath.
   *
   * @throws {NotConnectedError} before `listen()`.
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override unwrap<T = ClusterPubSub<'buffer'>>(): T {
    if (this.session === undefined) {
      throw new NotConnectedError('Call listen() or startAllMicroservices() first.');
    }
    return this.session.engine as T;
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return symbolRoute(pattern) ?? super.normalizePattern(pattern);
  }

  private async start(): Promise<void> {
    if (this.session !== undefined) {
      throw new InvalidArgumentError('This server listens already. Close it before it listens again.');
    }
    const engine = createEngine(this.options);
    const session: ServerConnection = {
      engine,
      work: new InFlightHandlers(),
      receiver: undefined,
      channels: [],
      absence: { reason: 'A server of this process is not subscribed yet.', final: false },
    };
    this.session = session;
    this.announce(session);
    this.events.bind(engine);
    try {
      await engine.connect();
      session.receiver = this.newReceiver(session);
      await this.subscribe(engine, session.receiver);
      session.channels = channelsOfHandlers(engine);
      session.absence = undefined;
      forgetFailedServers(this.options);
    } catch (error) {
      session.absence = { reason: failedToListen(error), final: true };
      if (this.session === session) {
        this.session = undefined;
      }
      await engine.close();
      throw error;
    }
  }

  /** From the beginning: one that never gets to listen is what the health indicator has to tell. */
  private announce(session: ServerConnection): void {
    this.leave?.();
    this.leave = register({
      is: 'server',
      options: this.options,
      engine: session.engine,
      get channels() {
        return session.channels;
      },
      get absence() {
        return session.absence;
      },
      handling: () => session.work.size,
      waiting: () => 0,
    });
  }

  private newReceiver({ engine, work }: ServerConnection): MessageRouter {
    const requestChannels = new Set<string>();
    for (const { pattern, request } of this.registry.entries) {
      if (pattern.kind === 'exact' && request !== undefined) {
        requestChannels.add(this.names.channel(pattern.name));
      }
    }
    return new MessageRouter({
      deserializer: this.deserializer,
      replies: new ReplyPublisher(engine, this.serializer, this.options),
      hooks: this.processingHooks(),
      handlings: this.handlings,
      work,
      names: this.names,
      malformed: this.malformedLog,
      requestChannels,
      log: (route, problem, error) => this.logProblem(route, problem, error),
      warn: (line) => this.logger.warn(line),
    });
  }

  private async subscribe(engine: Engine, receiver: MessageRouter): Promise<void> {
    for (const entry of this.registry.entries) {
      const warning = fallbackWarning(entry, engine.supportsSharded);
      if (warning !== undefined) {
        this.logger.warn(warning);
      }
    }
    await subscribeHandlers(
      engine,
      handlerSubscriptionsOfAll(this.registry.entries, this.names, engine.supportsSharded),
      (subscription) => receiver.listenerOf(subscription),
    );
    for (const entry of this.registry.entries) {
      mappedHandlerLines(entry, this.names, engine).forEach((line) => this.logger.log(line));
    }
  }

  private async shutDown({ engine, work, receiver }: ServerConnection): Promise<void> {
    const grace = this.options.shutdownGracePeriod;
    const end = performance.now() + grace;
    if (receiver !== undefined && grace > 0) {
      // What Redis has counted as received is served: it may be on its way until the unsubscription is confirmed.
      await settledWithin(grace, engine.reset());
      receiver.accepting = false;
      await work.idle(Math.max(end - performance.now(), 0));
    }
    if (receiver !== undefined) {
      receiver.accepting = false;
    }
    work.abortAll();
    await work.idle(LAST_WORDS);
    await engine.close();
  }

  private processingHooks(): ProcessingHooks {
    return {
      start: (context: BaseRpcContext, done: () => Promise<void>): unknown => {
        // Nest has them since 11.1.4.
        const hook = this.onProcessingStartHook as
          ((...args: Parameters<typeof this.onProcessingStartHook>) => unknown) | undefined;
        return hook === undefined ? done() : hook(this.transportId, context, done);
      },
      end: (context: BaseRpcContext): void => {
        (this.onProcessingEndHook as typeof this.onProcessingEndHook | undefined)?.(
          this.transportId,
          context,
        );
      },
    };
  }

  private logProblem(route: string, problem: string, error: unknown): void {
    const what = `${problem} ("${route}")`;
    // By the route, that no handler hides another: not by codes of the application, which may have any number. What
    // Redis does not take for a reason of ours concerns all routes, and is one kind of trouble.
    const kind = error instanceof ClusterPubSubError ? `${problem} ${error.code}` : what;
    this.problems.log(`${what}: ${errorLogText(error)}`, kind, errorStack(error));
  }
}

/** Of the inbox and its like, which are subscribed as well, nobody asks. */
function channelsOfHandlers({ channels, shardChannels }: Engine): string[] {
  return [...new Set([...channels, ...shardChannels].map(String).filter((name) => !isReserved(name)))];
}

function failedToListen(error: unknown): string {
  const code = error instanceof ClusterPubSubError ? ` (${error.code})` : '';
  return `A server of this process could not listen${code}: ${errorMessage(error)}`;
}

function modeOf(route: string, { mode }: Record<string, unknown>): PubSubMode | undefined {
  return mode === undefined ? undefined : readEnum(`@EventPattern("${route}"): mode`, mode, PUBSUB_MODES);
}

function nodesOf(route: string, { nodes, mode }: Record<string, unknown>): 'all-masters' | undefined {
  if (nodes !== undefined && (nodes !== 'all-masters' || mode === 'sharded')) {
    throw new InvalidArgumentError(
      `The nodes of the event handler of "${route}" can only be "all-masters", and not where its mode is "sharded".`,
    );
  }
  return nodes;
}
