import { Logger } from '@nestjs/common';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import type { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import { ClosedError } from '../../pubsub/common/errors.js';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { ChannelNames } from '../wire/channel-names.js';
import { ClientConnection } from './client-connection.js';
import {
  type ClusterPubSubTransportEvents,
  type ClusterPubSubStatus,
  EngineEvents,
} from '../connection/engine-events.js';
import { EmitResult } from './emit-result.js';
import { errorLogText } from '../../util/error-message.js';
import { NotConnectedError } from '../common/errors.js';
import type { HandledType } from '../common/cluster-pubsub.context.js';
import { TRANSPORT_DIAGNOSTICS } from '../telemetry/diagnostics-channels.js';
import { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import { type ClusterPubSubClientMetrics, newRequestTally } from '../telemetry/metrics.js';
import {
  type ClusterPubSubOptions,
  type PubSubMode,
  type ResolvedOptions,
  resolveOptions,
} from '../common/options.js';
import { isPromiseLike } from '../../util/promises.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import { encodeWithin, type OutgoingPacket, unpackRecord } from '../wire/outgoing-packet.js';
import { readReply } from './reply-reader.js';
import type { PendingRequest } from './pending-request.js';
import type { PendingRequests } from './pending-requests.js';
import { assertRoute, symbolRoute } from '../wire/pattern-route.js';
import { traceEmit, traceRequest } from './request-diagnostics.js';
import type { TransportEngine } from '../connection/create-engine.js';
import { registerUnused } from '../connection/process-registry.js';
import { FrameTrailer } from '../wire/frame.js';

const { emit, request } = TRANSPORT_DIAGNOSTICS;
const CONNECTED = Promise.resolve();

type Callback = (packet: WritePacket) => void;

/**
 * Sends requests and events over Redis Cluster pub/sub.
 *
 * - `send`: an answer from a server, or an error with a `code` in bounded time: `NoSubscribersError` at once when nobody
 *   serves the pattern, `RequestTimeoutError` when no answer comes, `GapError` when the connection that would bring it
 *   is lost. Unsubscribing tells the server to stop.
 * - `emit`: completes when Redis has taken the message. It is published whether or not anybody subscribes to the
 *   Observable; a failure that nobody watches is logged.
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
  /**
   * What the packet is that a dispatch hook is looking at: Nest's hook does not say.
   *
   * @internal
   */
  dispatching: HandledType = 'request';
  private readonly options: ResolvedOptions;
  private readonly names: ChannelNames;
  private readonly events: EngineEvents;
  private readonly malformedLog = new MalformedMessageLog(this, (line) => this.logger.warn(line));
  private readonly failedEmits = new RateLimitedLog((line) => this.logger.error(line));
  private readonly logFailedEmit = (error: unknown): void =>
    this.failedEmits.log(`An event that nobody watches was not published: ${errorLogText(error)}`);
  /** What the frames of events without headers end with. */
  private readonly eventEnd: FrameTrailer;
  private readonly tally = newRequestTally();
  private eventCount = 0;
  private session: ClientConnection | undefined;
  /** Takes it out of those that nobody has used yet. */
  private readonly leaveUnused: () => void;
  private closing: Promise<void> = Promise.resolve();
  private warnedOfFallback = false;

  /** @throws {InvalidArgumentError} naming the option that cannot work. */
  constructor(options: ClusterPubSubOptions) {
    super();
    this.options = resolveOptions(options);
    this.names = new ChannelNames(this.options.prefix);
    this.eventEnd = new FrameTrailer(undefined, this.options.sequence);
    this.events = new EngineEvents(this.logger, (status) => this._status$.next(status));
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
    this.leaveUnused = registerUnused(this, this.options);
  }

  /** How the connection is doing, now and from now on; each change once. */
  override get status(): Observable<ClusterPubSubStatus> {
    return super.status as Observable<ClusterPubSubStatus>;
  }

  /** How many replies could not be read, and were dropped. */
  get malformed(): number {
    return this.malformedLog.count;
  }

  /** What was counted since this client was made, and what is the case now. */
  metrics(): ClusterPubSubClientMetrics {
    return {
      kind: 'client',
      ...this.tally,
      events: this.eventCount,
      malformed: this.malformed,
      inFlight: this.session?.requests.pendingCount ?? 0,
      pubsub: this.session?.metrics(),
    };
  }

  /**
   * Connects, unless it is connected or connecting. `send` and `emit` do it by themselves.
   *
   * @throws {ClusterPubSubError} when the cluster cannot be reached or refuses; the next call tries again.
   */
  async connect(): Promise<void> {
    const session = (this.session ??= this.open());
    if (!session.connected) {
      await session.engine.connect();
      // Not at once: those who wait for this promise were first.
      setImmediate(() => (session.connected = true));
    }
  }

  /** Fails what waits for an answer with `ClosedError`, and closes all connections. `connect()` opens new ones. */
  close(): Promise<void> {
    this.leaveUnused();
    const session = this.session;
    if (session !== undefined) {
      this.session = undefined;
      this.closing = session.close(new ClosedError(ClusterPubSubClient.name));
    }
    return this.closing;
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
   * @throws {NotConnectedError} before the first `connect()`.
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  unwrap<T = ClusterPubSub<'buffer'>>(): T {
    if (this.session === undefined) {
      throw new NotConnectedError('Call connect(), send() or emit() first.');
    }
    return this.session.engine as T;
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override send<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern) || isMissing(data)) {
      return super.send(pattern, data);
    }
    // Nest's own goes through three Observables and as many promises, a quarter of what a request costs its client.
    return new Observable<TResult>((observer) => {
      let teardown: (() => void) | undefined;
      const start = (): void => {
        try {
          if (this.isConnecting) {
            this.connect().then(start, unreachable);
          } else if (!observer.closed) {
            teardown = this.publish(this.newPacket('request', pattern, data), this.createObserver(observer));
          }
          // Left meanwhile, by a hook or a serializer.
          if (observer.closed) {
            teardown?.();
          }
        } catch (error) {
          observer.error(error);
        }
      };
      const unreachable = (error: unknown): void => {
        try {
          if (!observer.closed) {
            const packet = this.newPacket('request', pattern, data);
            this.watched(packet, this.createObserver(observer), (told) => this.refuse(error, told));
          }
        } catch {
          observer.error(error);
        }
      };
      this.whenConnected(start, unreachable);
      return () => teardown?.();
    });
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  override emit<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    if (isMissing(pattern) || isMissing(data)) {
      return super.emit(pattern, data);
    }
    const emission = new EmitResult<TResult>(this.logFailedEmit);
    const start = (): void => {
      let observer: PublishObserver = emission;
      try {
        if (this.isConnecting) {
          this.connect().then(start, unreachable);
          return;
        }
        const packet = this.newPacket('event', pattern, data);
        observer = this.begin(packet, emission);
        if (this.dispatchEvent === own.dispatchEvent) {
          this.postEvent(packet, observer);
        } else {
          this.dispatchEvent<TResult>(packet).then(
            (value) => {
              emission.value = value;
              observer.published(0);
            },
            (error: unknown) => observer.failed(error),
          );
        }
      } catch (error) {
        observer.failed(error);
      }
    };
    const unreachable = (error: unknown): void => {
      let observer: PublishObserver = emission;
      try {
        observer = this.begin(this.newPacket('event', pattern, data), emission);
      } catch {
        // A hook that throws; why there is no cluster is told all the same.
      }
      observer.failed(error);
    };
    this.whenConnected(start, unreachable);
    return emission;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    return request.hasSubscribers
      ? this.watched(packet, callback, (told) => this.ask(packet, told))
      : this.ask(packet, callback);
  }

  private watched(packet: ReadPacket, callback: Callback, start: (told: Callback) => () => void): () => void {
    return traceRequest(this, this.patternOf(packet), packet, callback, start);
  }

  /** A request that cannot even be opened. */
  private refuse(err: unknown, callback: Callback): () => void {
    this.tally.requests++;
    this.tally.failed++;
    callback({ err });
    return () => undefined;
  }

  private ask(packet: ReadPacket, callback: Callback): () => void {
    const requests = this.session?.requests;
    if (requests === undefined) {
      return this.refuse(new ClosedError(ClusterPubSubClient.name), callback);
    }
    let call: PendingRequest;
    let headers: OutgoingPacket['headers'];
    try {
      const outgoing = this.unpack(packet);
      headers = outgoing.headers;
      call = requests.open(outgoing.route, outgoing.timeout ?? this.options.requestTimeout, callback);
    } catch (error) {
      return this.refuse(error, callback);
    }
    try {
      const serialized: unknown = this.serializer.serialize(Object.assign(packet, { id: call.id }));
      if (isPromiseLike(serialized)) {
        serialized
          .then((later) => this.sendRequest(requests, call, later, headers))
          .then(undefined, (error: unknown) => requests.fail(call, error));
      } else {
        this.sendRequest(requests, call, serialized, headers);
      }
    } catch (error) {
      requests.fail(call, error);
    }
    return () => requests.cancel(call);
  }

  protected dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    return new Promise((resolve, reject) => {
      this.postEvent(packet, { published: () => resolve(undefined as T), failed: reject });
    });
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return symbolRoute(pattern) ?? super.normalizePattern(pattern);
  }

  private sendRequest(
    requests: PendingRequests,
    call: PendingRequest,
    serialized: unknown,
    headers: OutgoingPacket['headers'],
  ): void {
    const { maxPayload } = this.options;
    requests.send(call, encodeWithin(maxPayload, call.route, serialized, requests.endOf(call, headers)));
  }

  /** Counts an event, and has those who watch told what becomes of it. */
  private begin(packet: ReadPacket, emission: PublishObserver): PublishObserver {
    this.eventCount++;
    return emit.hasSubscribers ? traceEmit(this, this.patternOf(packet), packet, emission) : emission;
  }

  /** Throws what is wrong with the packet. */
  private postEvent(packet: ReadPacket, observer: PublishObserver): void {
    const engine = this.session?.engine;
    if (engine === undefined) {
      throw new ClosedError(ClusterPubSubClient.name);
    }
    const outgoing = this.unpack(packet);
    const serialized: unknown = this.serializer.serialize(packet as never);
    // Not awaited when it need not be: events go out in the order of the calls.
    if (isPromiseLike(serialized)) {
      serialized
        .then((later) => this.sendEvent(engine, outgoing, later, observer))
        .then(undefined, (error: unknown) => observer.failed(error));
    } else {
      this.sendEvent(engine, outgoing, serialized, observer);
    }
  }

  private sendEvent(
    engine: TransportEngine,
    { route, headers, mode = this.options.mode }: OutgoingPacket,
    serialized: unknown,
    observer: PublishObserver,
  ): void {
    const end = headers === undefined ? this.eventEnd : this.eventEnd.with({ h: headers });
    const frame = encodeWithin(this.options.maxPayload, route, serialized, end);
    const command = this.isSharded(mode, engine) ? 'SPUBLISH' : 'PUBLISH';
    engine.publishWithObserver(command, this.names.channel(route), frame, observer);
  }

  /** Calls `start` in a microtask, or later where there is no connection yet; in the order of the calls. */
  private whenConnected(start: () => void, failed: (error: unknown) => void): void {
    if (this.connect !== own.connect) {
      // As Nest calls it: with each message, and whatever it does.
      CONNECTED.then(() => this.connect()).then(start, failed);
    } else if (this.session?.connected === true) {
      void CONNECTED.then(start);
    } else {
      this.connect().then(start, failed);
    }
  }

  /** The connection that was there when it was called may have been closed, and another one opened. */
  private get isConnecting(): boolean {
    const status = this.session?.engine.status;
    // One that a subclass overrides may not wait for the connection; the engine does.
    return (status === 'idle' || status === 'connecting') && this.connect === own.connect;
  }

  /** Nest 12 has its hook look at the packet, Nest 11 has no such method. */
  private newPacket(type: HandledType, pattern: unknown, data: unknown): ReadPacket {
    this.dispatching = type;
    return 'createPacket' in this ? this.createPacket(pattern, data) : { pattern, data };
  }

  private open(): ClientConnection {
    this.leaveUnused();
    const session = new ClientConnection(this.options, this.names, this.tally, (message, inbox, requests) =>
      readReply(message, inbox, requests, this.deserializer, this.malformedLog),
    );
    this.events.bind(session.engine);
    return session;
  }

  /** For those who watch, who are to hear of a pattern that cannot be one as well. */
  private patternOf({ pattern }: ReadPacket): string {
    try {
      return this.normalizePattern(pattern as MsPattern);
    } catch {
      return String(pattern);
    }
  }

  private unpack(packet: ReadPacket<unknown>): OutgoingPacket {
    return unpackRecord(packet, assertRoute(this.normalizePattern(packet.pattern as MsPattern)));
  }

  private isSharded(mode: PubSubMode, engine: TransportEngine): boolean {
    if (mode === 'classic' || engine.supportsSharded) {
      return mode === 'sharded';
    }
    if (!this.warnedOfFallback) {
      this.warnedOfFallback = true;
      this.logger.warn(
        'The cluster has no sharded pub/sub (Redis 7.0); events are published in classic mode.',
      );
    }
    return false;
  }
}

/** What a subclass overrides is called where Nest's own `send` and `emit` call it. */
const own = ClusterPubSubClient.prototype;

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}
