import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import type { ClusterPubSub } from '../pubsub/cluster-pubsub.js';
import { ClosedError } from '../pubsub/errors.js';
import { ChannelNames } from './channels.js';
import {
  type ClusterPubSubTransportEvents,
  type ClusterPubSubStatus,
  type Engine,
  EngineEvents,
} from './engine-events.js';
import { NotConnectedError } from './errors.js';
import { MalformedLog } from './malformed-log.js';
import { newEngine } from './new-engine.js';
import {
  type ClusterPubSubOptions,
  type PubSubMode,
  type ResolvedOptions,
  resolveOptions,
} from './options.js';
import { isPromiseLike } from './promise-like.js';
import { RateLimitedLog } from './rate-limited-log.js';
import { encodeWithin, type Outgoing, unpackRecord } from './outgoing.js';
import { readReply } from './read-reply.js';
import { Requests } from './requests.js';
import { assertRoute, symbolRoute } from './route.js';

/** One connection of the client, from `connect()` to `close()`. */
interface Session {
  readonly engine: Engine;
  readonly requests: Requests;
  connected: boolean;
}

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
  private readonly options: ResolvedOptions;
  private readonly names: ChannelNames;
  private readonly events: EngineEvents;
  private readonly malformedLog = new MalformedLog((line) => this.logger.warn(line));
  private readonly failedEmits = new RateLimitedLog((line) => this.logger.error(line));
  private session: Session | undefined;
  private closing: Promise<void> = Promise.resolve();
  private warnedOfFallback = false;

  /** @throws {InvalidArgumentError} naming the option that cannot work. */
  constructor(options: ClusterPubSubOptions) {
    super();
    this.options = resolveOptions(options);
    this.names = new ChannelNames(this.options.prefix);
    this.events = new EngineEvents(this.logger, (status) => this._status$.next(status));
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
  }

  /** How the connection is doing, now and from now on; each change once. */
  override get status(): Observable<ClusterPubSubStatus> {
    return super.status as Observable<ClusterPubSubStatus>;
  }

  /** How many replies could not be read, and were dropped. */
  get malformed(): number {
    return this.malformedLog.count;
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
      session.connected = true;
    }
  }

  /** Fails what waits for an answer with `ClosedError`, and closes all connections. `connect()` opens new ones. */
  close(): Promise<void> {
    const session = this.session;
    if (session !== undefined) {
      this.session = undefined;
      this.events.unbind();
      session.requests.failAll(new ClosedError(ClusterPubSubClient.name));
      this.closing = session.engine.close();
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
  override emit<TResult = unknown, TInput = unknown>(pattern: unknown, data: TInput): Observable<TResult> {
    const source = super.emit<TResult, TInput>(pattern, data);
    let watched = false;
    source.subscribe({
      error: (error: unknown) => {
        // In a microtask: an Observable that fails at once has not been handed out yet.
        queueMicrotask(() => {
          if (!watched) {
            this.failedEmits.log(`An event that nobody watches was not published: ${messageOf(error)}`);
          }
        });
      },
    });
    return new Observable((subscriber) => {
      watched = true;
      return source.subscribe(subscriber);
    });
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const requests = this.session?.requests;
    if (requests === undefined) {
      callback({ err: new ClosedError(ClusterPubSubClient.name) });
      return () => undefined;
    }
    try {
      const { route, headers, timeout } = this.unpack(packet);
      const call = requests.open(route, timeout ?? this.options.requestTimeout, callback);
      const teardown = (): void => requests.leave(call);
      const fail = (error: unknown): void => requests.fail(call, error);
      try {
        const fields = requests.fieldsOf(call, headers);
        const send = (serialized: unknown): void =>
          requests.send(call, encodeWithin(this.options, route, serialized, fields));
        const serialized: unknown = this.serializer.serialize(Object.assign(packet, { id: call.id }));
        if (isPromiseLike(serialized)) {
          serialized.then(send).then(undefined, fail);
        } else {
          send(serialized);
        }
      } catch (error) {
        fail(error);
      }
      return teardown;
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
  }

  protected async dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    const engine = this.session?.engine;
    if (engine === undefined) {
      throw new ClosedError(ClusterPubSubClient.name);
    }
    const { route, headers, mode } = this.unpack(packet);
    const result: unknown = this.serializer.serialize(packet as never);
    // Not awaited when it need not be: events go out in the order of the calls.
    const serialized = isPromiseLike(result) ? await result : result;
    const frame = encodeWithin(this.options, route, serialized, headers && { h: headers });
    const channel = this.names.channel(route);
    await (this.isSharded(mode ?? this.options.mode, engine)
      ? engine.spublish(channel, frame)
      : engine.publish(channel, frame));
    return undefined as T;
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return symbolRoute(pattern) ?? super.normalizePattern(pattern);
  }

  private open(): Session {
    const engine = newEngine(this.options);
    this.events.bind(engine);
    const requests: Requests = new Requests(engine, this.names, newClientId(), (message, inbox) =>
      readReply(message, inbox, requests, this.deserializer, this.malformedLog),
    );
    return { engine, requests, connected: false };
  }

  private unpack(packet: ReadPacket<unknown>): Outgoing {
    return unpackRecord(packet, assertRoute(this.normalizePattern(packet.pattern as MsPattern)));
  }

  private isSharded(mode: PubSubMode, engine: Engine): boolean {
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

/** Ten characters of base64url: short, for it travels with every request, and never the same twice. */
function newClientId(): string {
  return randomBytes(8).toString('base64url').slice(0, 10);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
