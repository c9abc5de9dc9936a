import type { LoggerService } from '@nestjs/common';
import type { ConsumerSerializer } from '@nestjs/microservices';
import { ClusterPubSubError } from '../../pubsub/common/errors.js';
import { errorMessage } from '../../util/error-message.js';
import { settledWithin } from '../../util/promises.js';
import type { ResolvedOptions } from '../common/options.js';
import { createEngine, type TransportEngine } from '../connection/create-engine.js';
import type { TransportInstance } from '../connection/process-registry.js';
import { isReserved } from '../wire/channel-names.js';
import { InFlightHandlers } from './handler-execution.js';
import type { HandlerRegistry } from './handler-registry.js';
import { fallbackWarning, handlerSubscriptionsOfAll, subscribeHandlers } from './handler-subscriptions.js';
import { MessageRouter, type MessageRouterDeps } from './message-router.js';
import { ReplyPublisher } from './reply-publisher.js';
import { mappedHandlerLines } from './startup-log.js';

/** Time for the replies of aborted handlers to reach Redis. */
const ABORTED_REPLY_TIMEOUT_MS = 500;

export interface ServerConnectionDeps extends Omit<
  MessageRouterDeps,
  'replies' | 'inFlight' | 'requestChannels' | 'warn'
> {
  readonly handlers: HandlerRegistry;
  readonly serializer: ConsumerSerializer;
  readonly logger: LoggerService;
}

/**
 * One connection of a server, from `listen()` to `close()`.
 *
 * @internal
 */
export class ServerConnection implements TransportInstance {
  readonly kind = 'server';
  readonly engine: TransportEngine;
  state: 'open' | 'failed' = 'open';
  unavailableReason: string | undefined = 'A server of this process is not subscribed yet.';
  channels: readonly string[] = [];
  readonly #inFlight = new InFlightHandlers();
  #router: MessageRouter | undefined;

  constructor(
    readonly options: ResolvedOptions,
    private readonly deps: ServerConnectionDeps,
  ) {
    this.engine = createEngine(options);
  }

  handling(): number {
    return this.#inFlight.size;
  }

  waiting(): number {
    return 0;
  }

  /** Connects and subscribes all handlers. */
  async open(): Promise<void> {
    await this.engine.connect();
    this.#router = this.#createRouter();
    await this.#subscribe(this.#router);
    this.channels = this.#handlerChannels();
    this.unavailableReason = undefined;
  }

  /** Disconnects after {@link open} has failed. */
  fail(error: unknown): Promise<void> {
    const code = error instanceof ClusterPubSubError ? ` (${error.code})` : '';
    this.state = 'failed';
    this.unavailableReason = `A server of this process could not listen${code}: ${errorMessage(error)}`;
    return this.engine.close();
  }

  /**
   * Stops receiving, lets handlers finish for `shutdownGracePeriod`, aborts the rest, publishes what was accepted in the
   * rest of that time, and disconnects.
   */
  async close(): Promise<void> {
    const { shutdownGracePeriod } = this.options;
    const end = performance.now() + shutdownGracePeriod;
    if (this.#router !== undefined) {
      if (shutdownGracePeriod > 0) {
        // Messages that Redis has counted as received may arrive until the unsubscription is confirmed: they are handled.
        await settledWithin(shutdownGracePeriod, this.engine.reset());
        this.#router.accepting = false;
        await this.#inFlight.idle(Math.max(end - performance.now(), 0));
      }
      this.#router.accepting = false;
    }
    const { size } = this.#inFlight;
    if (size > 0) {
      this.deps.logger.warn(
        `close(): ${String(size)} messages were not handled within ${String(shutdownGracePeriod)} ms ` +
          '(shutdownGracePeriod). Requesters get an error.',
      );
    }
    this.#inFlight.abortAll();
    await this.#inFlight.idle(ABORTED_REPLY_TIMEOUT_MS);
    await this.engine.closeWithin(Math.max(end - performance.now(), 0));
  }

  #createRouter(): MessageRouter {
    const { names, handlers, serializer, logger } = this.deps;
    const requestChannels = new Set<string>();
    for (const { pattern, request } of handlers.entries) {
      if (pattern.kind === 'exact' && request !== undefined) {
        requestChannels.add(names.channel(pattern.name));
      }
    }
    return new MessageRouter({
      ...this.deps,
      replies: new ReplyPublisher(this.engine, serializer, this.options),
      inFlight: this.#inFlight,
      requestChannels,
      warn: (line) => void logger.warn(line),
    });
  }

  async #subscribe(router: MessageRouter): Promise<void> {
    const { names, handlers, logger } = this.deps;
    const { supportsSharded } = this.engine;
    for (const entry of handlers.entries) {
      const warning = fallbackWarning(entry, supportsSharded);
      if (warning !== undefined) {
        logger.warn(warning);
      }
    }
    await subscribeHandlers(
      this.engine,
      handlerSubscriptionsOfAll(handlers.entries, names, supportsSharded),
      (subscription) => router.listenerOf(subscription),
    );
    for (const entry of handlers.entries) {
      mappedHandlerLines(entry, names, this.engine).forEach((line) => void logger.log(line));
    }
  }

  /** Without channels of ours. */
  #handlerChannels(): string[] {
    const { channels, shardChannels } = this.engine;
    return [...new Set([...channels, ...shardChannels].map(String).filter((name) => !isReserved(name)))];
  }
}
