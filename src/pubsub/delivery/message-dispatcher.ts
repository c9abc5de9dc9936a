import { isUtf8 } from 'node:buffer';
import { EncodingError, HandlerError, type ClusterPubSubError } from '../common/errors.js';
import { displayName, type ChannelName } from '../common/channel-name.js';
import { readBoolean, readEnum, readFunction, readNumber, readObject } from '../common/validation.js';
import { MessageIterator } from './message-iterator.js';
import type { ConfirmationMessage, DataMessage, PubSubMessage, PubSubEncoding } from '../common/messages.js';
import type { Gap } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import { MessageBuffer } from './message-buffer.js';
import type { NodeReference } from '../common/node-address.js';
import type { PubSubOptions } from '../common/options.js';
import { GapBatcher } from '../common/gap-batcher.js';
import { KIND_OF_MESSAGE } from '../common/subscription-kind.js';
import { isPromiseLike } from '../../util/promises.js';
import type { Subscription } from '../subscription/subscription.js';

/** Options of {@link ClusterPubSub.getMessage}. */
export interface GetMessageOptions {
  /** Time to wait for a message, in ms (fractions count). 0 (default): do not wait. `null` or Infinity: no limit. */
  timeout?: number | null | undefined;
  /** Ignore confirmations in this call, even if `PubSubOptions.ignoreSubscribeMessages` is not set. Default false. */
  ignoreSubscribeMessages?: boolean | undefined;
}

/** Options of {@link ClusterPubSub.getShardedMessage}. */
export interface GetShardedMessageOptions extends GetMessageOptions {
  /** Return only messages of channels whose slot this node owns. Default: of all channels. */
  node?: NodeReference | undefined;
}

/** Receives the gaps and errors of the delivery. */
export interface MessageDispatcherListener {
  gap(gap: Gap): void;
  error(error: ClusterPubSubError): void;
}

/** Passes messages to the handlers of their subscriptions, or buffers them until they are read. */
export class MessageDispatcher<E extends PubSubEncoding> {
  readonly #encoding: PubSubEncoding;
  readonly #ignoreSubscribeMessages: boolean;
  /** Drop messages that are not UTF-8. */
  readonly #strict: boolean;
  readonly #onHandlerError: PubSubOptions<E>['onHandlerError'];
  readonly #pushHandler: PubSubOptions['pushHandler'];
  readonly #buffer: MessageBuffer<PubSubMessage<E>>;
  /** Gathers the messages that a full buffer drops in one turn of the event loop. */
  readonly #gaps: GapBatcher;
  #dropped = 0;
  /** The channel of a message with text, if it was subscribed as bytes: the text may not identify it. */
  readonly #names = new WeakMap<PubSubMessage<E>, ChannelName>();

  /** @throws {@link InvalidArgumentError} for an unknown encoding or policy */
  constructor(
    options: PubSubOptions<E> & { readonly bufferLimit: number },
    private readonly metrics: Metrics,
    private readonly listener: MessageDispatcherListener,
  ) {
    const { encoding = 'utf8', ignoreSubscribeMessages = false, encodingErrors = 'replace' } = options;
    const { bufferLimit, bufferPolicy = 'drop-oldest', onHandlerError, pushHandler } = options;
    this.#encoding = readEnum('encoding', encoding, ['utf8', 'buffer']);
    this.#ignoreSubscribeMessages = readBoolean('ignoreSubscribeMessages', ignoreSubscribeMessages);
    readEnum('encodingErrors', encodingErrors, ['replace', 'strict']);
    this.#strict = encodingErrors === 'strict' && encoding === 'utf8';
    this.#onHandlerError = readFunction('onHandlerError', onHandlerError);
    this.#pushHandler = readFunction<PubSubOptions['pushHandler']>('pushHandler', pushHandler);
    this.#gaps = new GapBatcher(listener, setImmediate);
    readEnum('bufferPolicy', bufferPolicy, ['drop-oldest', 'drop-newest']);
    this.#buffer = new MessageBuffer(bufferLimit, bufferPolicy, (message) => this.#drop(message));
  }

  /** The number of messages that were not read in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The number of messages and confirmations that wait to be read. */
  get unread(): number {
    return this.#buffer.length;
  }

  /** A failing handler does not affect the next message. */
  deliver(subscription: Subscription, channel: Buffer, data: Buffer, node: string): void {
    if (this.#strict && !(isUtf8(data) && isUtf8(channel))) {
      this.metrics.undecodable += 1;
      this.listener.error(new EncodingError(subscription.text, node));
      return;
    }
    const message = createMessage(this.#encoding, subscription, channel, data);
    const handler = subscription.handler ?? this.#pushHandler;
    if (handler === undefined) {
      this.#enqueue(message, subscription.name);
      return;
    }
    callHandler(handler, message, node, (cause) => this.#onFailure(cause, subscription.text, message));
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
    callHandler(this.#pushHandler, message, undefined, (cause) =>
      this.#reportFailure(cause, displayName(name)),
    );
  }

  /** Iterates until `isOpen` returns false and nothing is buffered; see {@link wakeIterations}. */
  iterate(isOpen: () => boolean): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    return new MessageIterator(this.#buffer, isOpen);
  }

  async read(options: GetMessageOptions): Promise<PubSubMessage<E> | null> {
    const { ms, wants } = this.#readOptions(readObject('getMessage(): options', options));
    return (await this.#buffer.read('single', wants, ms)) ?? null;
  }

  /** Like {@link read} for the messages that `belongs` selects by type and channel; the rest is left to other readers. */
  async readOf(
    belongs: (type: PubSubMessage['type'], channel: ChannelName) => boolean,
    options: GetMessageOptions,
  ): Promise<PubSubMessage<E> | null> {
    const { ms, wants } = this.#readOptions(options);
    const mine = (message: PubSubMessage<E>): boolean =>
      belongs(message.type, this.#names.get(message) ?? message.channel) && wants(message);
    return (await this.#buffer.read('single', mine, ms, 'leave')) ?? null;
  }

  /** Lets iterations check again whether they are still open. */
  wakeIterations(): void {
    this.#buffer.release('iteration');
  }

  clear(): void {
    this.#buffer.clear();
  }

  close(): void {
    this.#buffer.clear();
    this.#buffer.release('iteration', 'single');
  }

  #enqueue(message: PubSubMessage<E>, name: ChannelName): void {
    if (this.#encoding === 'utf8' && typeof name !== 'string') {
      this.#names.set(message, name);
    }
    this.#buffer.push(message);
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

  #readOptions(options: GetMessageOptions): {
    readonly ms: number;
    readonly wants: (message: PubSubMessage<E>) => boolean;
  } {
    const { timeout = 0, ignoreSubscribeMessages = false } = options;
    readBoolean('ignoreSubscribeMessages', ignoreSubscribeMessages);
    const ms = readNumber('timeout', timeout ?? Infinity, 0, Infinity);
    return { ms, wants: (message) => !ignoreSubscribeMessages || !isConfirmation(message) };
  }

  #onFailure(cause: unknown, name: string, message: DataMessage<E>): void {
    if (this.#onHandlerError === undefined) {
      this.#reportFailure(cause, name);
      return;
    }
    callHandler(this.#onHandlerError, cause, message, (failure) => this.#reportFailure(failure, name));
  }

  #reportFailure(cause: unknown, name: string): void {
    this.listener.error(new HandlerError(name, { cause }));
  }
}

/** Calls a function of the application, and `onFailure` when it throws or rejects. */
function callHandler<A, B>(
  handler: (a: A, b: B) => unknown,
  a: A,
  b: B,
  onFailure: (cause: unknown) => void,
): void {
  try {
    const result = handler(a, b);
    if (isPromiseLike(result)) {
      result.then(undefined, onFailure);
    }
  } catch (cause) {
    onFailure(cause);
  }
}

/** Creates a message with strings, or with the bytes as received. */
function createMessage(
  encoding: PubSubEncoding,
  subscription: Subscription,
  channel: Buffer,
  data: Buffer,
): DataMessage<PubSubEncoding> {
  const { kind, text } = subscription;
  const isPattern = kind.name === 'pattern';
  return encoding === 'buffer'
    ? { type: kind.message, pattern: isPattern ? subscription.bytes : null, channel, data }
    : {
        type: kind.message,
        pattern: isPattern ? text : null,
        channel: isPattern ? channel.toString('utf8') : text,
        data: data.toString('utf8'),
      };
}

function createConfirmation(
  encoding: PubSubEncoding,
  type: ConfirmationMessage['type'],
  name: ChannelName,
  data: number,
): ConfirmationMessage<PubSubEncoding> {
  const channel = encoding === 'buffer' ? Buffer.from(name) : displayName(name);
  return { type, pattern: null, channel, data };
}

function isConfirmation<E extends PubSubEncoding>(
  message: PubSubMessage<E>,
): message is ConfirmationMessage<E> {
  return typeof message.data === 'number';
}
