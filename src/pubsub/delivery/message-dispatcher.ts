import { isUtf8 } from 'node:buffer';
import { EncodingError, HandlerError, type ClusterPubSubError } from '../common/errors.js';
import { displayName, type ChannelName } from '../common/channel-name.js';
import { readBoolean, readEnum, readFunction, readNumber, readObject } from '../common/validation.js';
import { MessageIterator } from './message-iterator.js';
import type { ConfirmationMessage, DataMessage, PubSubMessage, PubSubEncoding } from '../common/messages.js';
import type { Gap } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import { MessageBuffer } from './message-buffer.js';
import { createConfirmation, createMessage, isConfirmation } from './message-factory.js';
import type { NodeReference } from '../common/node-address.js';
import type { PubSubOptions } from '../common/options.js';
import { GapBatcher } from '../common/gap-batcher.js';
import { KIND_OF_MESSAGE } from '../common/subscription-kind.js';
import { isPromiseLike } from '../../util/promises.js';
import type { Subscription } from '../subscription/subscription.js';

/** How {@link ClusterPubSub.getMessage} waits. */
export interface GetMessageOptions {
  /** How long to wait for a message, in ms (fractions count). 0 (default): not at all. `null` or Infinity: for ever. */
  timeout?: number | null | undefined;
  /** Leaves confirmations out of this call, though the option of the same name was not set. Default false. */
  ignoreSubscribeMessages?: boolean | undefined;
}

/** How {@link ClusterPubSub.getShardedMessage} waits, and for what. */
export interface GetShardedMessageOptions extends GetMessageOptions {
  /** Only messages of channels whose slot this node owns. Default: of all. */
  node?: NodeReference | undefined;
}

/** Receives what the delivery of messages reports. */
export interface MessageDispatcherListener {
  gap(gap: Gap): void;
  error(error: ClusterPubSubError): void;
}

/** Where messages end up: with the handler of their subscription, or here until somebody reads them. */
export class MessageDispatcher<E extends PubSubEncoding> {
  readonly #encoding: PubSubEncoding;
  readonly #ignoreSubscribeMessages: boolean;
  /** Whether a message has to be UTF-8. */
  readonly #strict: boolean;
  readonly #onHandlerError: PubSubOptions<E>['onHandlerError'];
  readonly #pushHandler: PubSubOptions['pushHandler'];
  readonly #queue: MessageBuffer<PubSubMessage<E>>;
  /** What a full buffer drops in one turn of the event loop becomes one gap per kind. */
  readonly #gaps: GapBatcher;
  #dropped = 0;
  /** For what a message came, where that was named in bytes and the message has text, which may not tell. */
  readonly #names = new WeakMap<PubSubMessage<E>, ChannelName>();

  /** @throws {@link InvalidArgumentError} for an unknown encoding or policy */
  constructor(
    options: PubSubOptions<E> & { readonly bufferLimit: number },
    private readonly metrics: Metrics,
    private readonly events: MessageDispatcherListener,
  ) {
    const { encoding = 'utf8', ignoreSubscribeMessages = false, encodingErrors = 'replace' } = options;
    const { bufferLimit, bufferPolicy = 'drop-oldest', onHandlerError, pushHandler } = options;
    this.#encoding = readEnum('encoding', encoding, ['utf8', 'buffer']);
    this.#ignoreSubscribeMessages = readBoolean('ignoreSubscribeMessages', ignoreSubscribeMessages);
    readEnum('encodingErrors', encodingErrors, ['replace', 'strict']);
    this.#strict = encodingErrors === 'strict' && encoding === 'utf8';
    this.#onHandlerError = readFunction('onHandlerError', onHandlerError);
    this.#pushHandler = readFunction<PubSubOptions['pushHandler']>('pushHandler', pushHandler);
    this.#gaps = new GapBatcher(events, setImmediate);
    readEnum('bufferPolicy', bufferPolicy, ['drop-oldest', 'drop-newest']);
    this.#queue = new MessageBuffer(bufferLimit, bufferPolicy, (message) => {
      this.#drop(message);
    });
  }

  /** How many messages nobody read in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many messages and confirmations wait to be read. */
  get unread(): number {
    return this.#queue.length;
  }

  /** A handler that fails does not keep the next message from its own. */
  deliver(subscription: Subscription, channel: Buffer, data: Buffer, node: string): void {
    if (this.#strict && !(isUtf8(data) && isUtf8(channel))) {
      this.metrics.undecodable += 1;
      this.events.error(new EncodingError(subscription.text, node));
      return;
    }
    const message = createMessage(this.#encoding, subscription, channel, data);
    const handler = subscription.handler ?? this.#pushHandler;
    if (handler === undefined) {
      this.#enqueue(message, subscription.name);
      return;
    }
    attempt(handler, message, node, (cause) => {
      this.#failed(cause, subscription.text, message);
    });
  }

  confirm(type: ConfirmationMessage['type'], name: ChannelName, count: number): void {
    if (this.#ignoreSubscribeMessages) {
      return;
    }
    const message = createConfirmation(this.#encoding, type, name, count) as ConfirmationMessage<E>;
    if (this.#pushHandler === undefined) {
      this.#enqueue(message, name);
      return;
    }
    attempt(this.#pushHandler, message, undefined, (cause) => {
      this.#tellFailure(cause, displayName(name));
    });
  }

  /** What waits and what comes, until `open` says no and nothing waits any more; see {@link wakeIterations}. */
  iterate(open: () => boolean): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    return new MessageIterator(this.#queue, open);
  }

  async read(options: GetMessageOptions): Promise<PubSubMessage<E> | null> {
    const { ms, wants } = this.#terms(readObject('getMessage(): options', options));
    return (await this.#queue.read('single', wants, ms)) ?? null;
  }

  /** As {@link read}, of what `belongs` by its type and the channel it came for; the rest is left to others. */
  async readOf(
    belongs: (type: PubSubMessage['type'], channel: ChannelName) => boolean,
    options: GetMessageOptions,
  ): Promise<PubSubMessage<E> | null> {
    const { ms, wants } = this.#terms(options);
    const mine = (message: PubSubMessage<E>): boolean =>
      belongs(message.type, this.#names.get(message) ?? message.channel) && wants(message);
    return (await this.#queue.read('single', mine, ms, 'leave')) ?? null;
  }

  /** Lets iterations look anew whether they are still open. */
  wakeIterations(): void {
    this.#queue.release('iteration');
  }

  clear(): void {
    this.#queue.clear();
  }

  close(): void {
    this.#queue.clear();
    this.#queue.release('iteration', 'single');
  }

  #enqueue(message: PubSubMessage<E>, name: ChannelName): void {
    if (this.#encoding === 'utf8' && typeof name !== 'string') {
      this.#names.set(message, name);
    }
    this.#queue.push(message);
  }

  /** A dropped confirmation is not a gap: an application that only uses handlers need not read confirmations. */
  #drop(message: PubSubMessage<E>): void {
    if (isConfirmation(message)) {
      return;
    }
    this.#dropped += 1;
    const { type, pattern, channel } = message;
    const now = Date.now();
    this.#gaps.add({
      kind: KIND_OF_MESSAGE[type],
      name: pattern ?? channel,
      reason: 'buffer-overflow',
      node: undefined,
      since: now,
      until: now,
      count: 1,
    });
  }

  #terms(options: GetMessageOptions): {
    readonly ms: number;
    readonly wants: (message: PubSubMessage<E>) => boolean;
  } {
    const { timeout = 0, ignoreSubscribeMessages = false } = options;
    readBoolean('ignoreSubscribeMessages', ignoreSubscribeMessages);
    const ms = readNumber('timeout', timeout ?? Infinity, 0, Infinity);
    return { ms, wants: (message) => !ignoreSubscribeMessages || !isConfirmation(message) };
  }

  #failed(cause: unknown, name: string, message: DataMessage<E>): void {
    if (this.#onHandlerError === undefined) {
      this.#tellFailure(cause, name);
      return;
    }
    attempt(this.#onHandlerError, cause, message, (failure) => {
      this.#tellFailure(failure, name);
    });
  }

  #tellFailure(cause: unknown, name: string): void {
    this.events.error(new HandlerError(name, { cause }));
  }
}

/** Calls what the application gave us: what it throws, at once or later, is told. */
function attempt<A, B>(call: (a: A, b: B) => unknown, a: A, b: B, failed: (cause: unknown) => void): void {
  try {
    const result = call(a, b);
    if (isPromiseLike(result)) {
      result.then(undefined, failed);
    }
  } catch (cause) {
    failed(cause);
  }
}
