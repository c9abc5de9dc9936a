import { Logger } from '@nestjs/common';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import type { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import { ClosedError } from '../../pubsub/common/errors.js';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import type { HandledType } from '../common/cluster-pubsub.context.js';
import { NotConnectedError } from '../common/errors.js';
import { type ClusterPubSubOptions, resolveOptions } from '../common/options.js';
import {
  type ClusterPubSubTransportEvents,
  type ClusterPubSubStatus,
  EngineEvents,
} from '../connection/engine-events.js';
import { registerUnused } from '../connection/process-registry.js';
import { TRANSPORT_DIAGNOSTICS } from '../telemetry/diagnostics-channels.js';
import { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import { type ClusterPubSubClientMetrics, newRequestCounters } from '../telemetry/metrics.js';
import { assertRoute, ChannelNames, symbolRoute } from '../wire/channel-names.js';
import { ClientConnection } from './client-connection.js';
import { EventSender } from './event-sender.js';
import { failUnopened, type PendingRequestsDeps } from './pending-requests.js';
import { traceEmit, traceRequest } from './request-diagnostics.js';

const CONNECTED = Promise.resolve(undefined);

type Callback = (packet: WritePacket) => void;

/**
 * Sends requests and events over Redis Cluster pub/sub. Not meant to be extended: use a serializer, or Nest's dispatch
 * hook, to change what is sent.
 *
 * - `send`: a reply from a server, or an error with a `code` in bounded time: `NoSubscribersError` at once when no
 *   server handles the pattern, `RequestTimeoutError` when no reply arrives, `GapError` when the connection that
 *   carries it is lost. Unsubscribing tells the server to stop.
 * - `emit`: completes when Redis has taken the message. It is published whether or not the Observable is subscribed to;
 *   a failure is then logged.
 * - `close` publishes first what was accepted before it, for up to `shutdownGracePeriod`.
 *
 * ```ts
 * ClientsModule.register([{ name: 'SHOP', customClass: ClusterPubSubClient, options: { nodes } }]);
 * // constructor(@Inject('SHOP') private readonly client: ClientProxy) {}
 * this.client.send('order.price', { id: 7 });
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubClient extends ClientProxy<ClusterPubSubTransportEvents> {
  protected readonly logger = new Logger(ClusterPubSubClient.name);
  /** The type of the packet that the dispatch hook is called with, which Nest does not pass. @internal */
  dispatching: HandledType = 'request';
  private readonly engineEvents: EngineEvents;
  private readonly malformedLog = new MalformedMessageLog(this, (line) => this.logger.warn(line));
  private readonly connectionDeps: PendingRequestsDeps;
  private readonly eventSender: EventSender;
  private readonly requestCounters = newRequestCounters();
  private eventCount = 0;
  private connection: ClientConnection | undefined;
  /** Removes this client from the registry of unused ones. */
  private readonly unregisterUnused: () => void;
  private closing: Promise<void> = Promise.resolve();
  /** Connections that close. While there are any, only `connect()` opens another one: nobody might close that. */
  private closingCount = 0;
  /** The connection on which `publish()` is to send, which may be closing. */
  private sending: ClientConnection | undefined;

  /** @throws {InvalidArgumentError} naming the invalid option. */
  constructor(options: ClusterPubSubOptions) {
    super();
    const resolved = resolveOptions(options);
    this.engineEvents = new EngineEvents(this.logger, (status) => this._status$.next(status));
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    const shared = {
      options: resolved,
      names: new ChannelNames(resolved.prefix),
      serializer: this.serializer,
      routeOf: (pattern: MsPattern): string => assertRoute(this.normalizePattern(pattern)),
    };
    this.eventSender = new EventSender({ ...shared, logger: this.logger });
    this.connectionDeps = {
      ...shared,
      deserializer: this.deserializer,
      malformedLog: this.malformedLog,
      counters: this.requestCounters,
    };
    this.unregisterUnused = registerUnused(this, resolved);
  }

  /** The state of the connection: the current one on subscription, then each change. */
  override get status(): Observable<ClusterPubSubStatus> {
    return super.status as Observable<ClusterPubSubStatus>;
  }

  /** The number of replies that were dropped because they could not be read. */
  get malformed(): number {
    return this.malformedLog.count;
  }

  /** Counters since this client was created, and current values. */
  metrics(): ClusterPubSubClientMetrics {
    return {
      kind: 'client',
      ...this.requestCounters,
      events: this.eventCount,
      malformed: this.malformed,
      inFlight: this.connection?.requests.pendingCount ?? 0,
      pubsub: this.connection?.metrics(),
    };
  }

  /**
   * Connects, unless it is connected or connecting. `send` and `emit` do so by themselves.
   *
   * @throws {ClusterPubSubError} when the cluster cannot be reached or refuses; the next call tries again.
   */
  async connect(): Promise<void> {
    await (this.connection ??= this.openConnection()).connect();
  }

  /**
   * Resolves when all events and requests accepted before have been taken by Redis, or have failed; their callers have
   * been told. Later ones are not waited for.
   *
   * @example
   * ```ts
   * this.client.emit('job.done', { id });
   * await this.client.flush(); // before process.exit()
   * ```
   */
  async flush(): Promise<void> {
    await this.connection?.flush();
    await this.closing;
  }

  /**
   * Publishes what was accepted before, for up to `shutdownGracePeriod`; then fails all pending requests with
   * `ClosedError`, and closes all connections. Meanwhile `send` and `emit` fail with `ClosedError`; afterwards the next
   * one connects again, as `connect()` does at any time.
   */
  close(): Promise<void> {
    this.unregisterUnused();
    const { connection } = this;
    if (connection !== undefined) {
      this.connection = undefined;
      this.closingCount += 1;
      this.closing = connection.close(this.newClosedError()).finally(() => (this.closingCount -= 1));
    }
    return this.closing;
  }

  override on<Event extends keyof ClusterPubSubTransportEvents>(
    event: Event,
    listener: ClusterPubSubTransportEvents[Event],
  ): void {
    this.engineEvents.on(event, listener);
  }

  /**
   * The `ClusterPubSub` underneath.
   *
   * @throws {NotConnectedError} before the first `connect()`.
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  unwrap<T = ClusterPubSub<'buffer'>>(): T {
    if (this.connection === undefined) {
      throw new NotConnectedError('Call connect(), send() or emit() first.');
    }
    return this.connection.engine as T;
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override send<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern) || isMissing(data)) {
      return super.send(pattern, data);
    }
    // Nest's own uses three Observables and as many promises, a quarter of what a request costs its client.
    return new Observable<TResult>((observer) => {
      let cancel: (() => void) | undefined;
      const connection = this.usableConnection();
      this.whenConnected(connection, (unreachable) => {
        this.sending = connection;
        try {
          if (!observer.closed) {
            const packet = this.newPacket('request', pattern, data);
            const callback = this.createObserver(observer);
            cancel =
              unreachable === undefined
                ? this.publish(packet, callback)
                : this.sendRequest(packet, callback, unreachable);
          }
          // Unsubscribed meanwhile, by a hook or a serializer.
          if (observer.closed) {
            cancel?.();
          }
        } catch (error) {
          observer.error(unreachable ?? error);
        } finally {
          this.sending = undefined;
        }
      });
      return () => cancel?.();
    });
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override emit<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern) || isMissing(data)) {
      return super.emit(pattern, data);
    }
    const connection = this.usableConnection();
    const result = this.eventSender.newResult<TResult>(connection?.backlog.enter());
    this.whenConnected(connection, (unreachable) => {
      let observer: PublishObserver = result;
      try {
        const packet = this.newPacket('event', pattern, data);
        this.eventCount++;
        if (TRANSPORT_DIAGNOSTICS.emit.hasSubscribers) {
          observer = traceEmit(this, this.patternOf(packet), packet, result);
        }
        if (unreachable === undefined) {
          this.sendEvent(connection, packet, observer);
        } else {
          observer.failed(unreachable);
        }
      } catch (error) {
        observer.failed(unreachable ?? error);
      }
    });
    return result;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    return this.sendRequest(packet, callback);
  }

  protected dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    return new Promise((resolve, reject) =>
      this.sendEvent(this.connection, packet, { published: () => resolve(undefined as T), failed: reject }),
    );
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return symbolRoute(pattern) ?? super.normalizePattern(pattern);
  }

  /** @param unreachable why there is no connection to send it on. */
  private sendRequest(packet: ReadPacket, callback: Callback, unreachable?: unknown): () => void {
    return TRANSPORT_DIAGNOSTICS.request.hasSubscribers
      ? traceRequest(this, this.patternOf(packet), packet, callback, (traced) =>
          this.sendUntraced(packet, traced, unreachable),
        )
      : this.sendUntraced(packet, callback, unreachable);
  }

  private sendUntraced(packet: ReadPacket, callback: Callback, unreachable: unknown): () => void {
    const connection = this.sending ?? this.connection;
    return unreachable === undefined && connection !== undefined
      ? connection.requests.send(packet, callback)
      : failUnopened(this.requestCounters, unreachable ?? this.newClosedError(), callback);
  }

  private sendEvent(
    connection: ClientConnection | undefined,
    packet: ReadPacket,
    observer: PublishObserver,
  ): void {
    if (connection === undefined) {
      throw this.newClosedError();
    }
    this.eventSender.send(connection.engine, packet, observer);
  }

  /** Undefined while the last connection closes. */
  private usableConnection(): ClientConnection | undefined {
    return this.connection ?? (this.closingCount > 0 ? undefined : (this.connection = this.openConnection()));
  }

  /**
   * Runs a task in a microtask, or later if there is no connection yet; in the order of the calls. If connecting fails,
   * the task gets the error.
   */
  private whenConnected(
    connection: ClientConnection | undefined,
    task: (unreachable?: unknown) => void,
  ): void {
    if (connection === undefined) {
      queueMicrotask(() => task(this.newClosedError()));
    } else if (connection.connected) {
      void CONNECTED.then(task);
    } else {
      connection.connect().then(task, task);
    }
  }

  /** Nest 12 passes the packet to its dispatch hook; Nest 11 has no such method. */
  private newPacket(type: HandledType, pattern: unknown, data: unknown): ReadPacket {
    this.dispatching = type;
    return 'createPacket' in this ? this.createPacket(pattern, data) : { pattern, data };
  }

  private openConnection(): ClientConnection {
    this.unregisterUnused();
    const connection = new ClientConnection(this.connectionDeps, this.logger);
    this.engineEvents.bind(connection.engine);
    return connection;
  }

  /** The pattern for diagnostics, which also report patterns that are invalid. */
  private patternOf({ pattern }: ReadPacket): string {
    try {
      return this.normalizePattern(pattern as MsPattern);
    } catch {
      return String(pattern);
    }
  }

  private newClosedError(): ClosedError {
    return new ClosedError(ClusterPubSubClient.name, {}, 'Call connect() to use it again.');
  }
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}
