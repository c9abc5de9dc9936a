import { HandlerError, InvalidArgumentError, type ClusterPubSubError } from './errors.js';
import { readChoice } from './limits.js';
import type { ConfirmationMessage, Gap, PubSubMessage } from './message.js';
import { MessageQueue } from './message-queue.js';
import { confirmationMessage, dataMessage, isConfirmation } from './message-shape.js';
import type { ChannelName, PubSubEncoding } from './options.js';
import { OverflowReport } from './overflow-report.js';
import type { Subscription } from './subscription.js';

/** How {@link ClusterPubSub.getMessage} waits. */
export interface GetMessageOptions {
  /** How long to wait for a message, in ms (fractions count). 0 (default): not at all. `null` or Infinity: for ever. */
  timeout?: number | null | undefined;
  /** Leaves confirmations out of this call, though the option of the same name was not set. Default false. */
  ignoreSubscribeMessages?: boolean | undefined;
}

/** What the mailbox tells the engine. */
export interface MailboxEvents {
  gap(gap: Gap): void;
  error(error: ClusterPubSubError): void;
}

/** Where messages end up: with the handler of their subscription, or here until somebody reads them. */
export class Mailbox<E extends PubSubEncoding> {
  readonly #encoding: PubSubEncoding;
  readonly #ignoreSubscribeMessages: boolean;
  readonly #queue: MessageQueue<PubSubMessage<E>>;

  /** @throws {@link InvalidArgumentError} for an unknown encoding or policy */
  constructor(
    options: {
      encoding: unknown;
      ignoreSubscribeMessages: boolean;
      bufferLimit: number;
      bufferPolicy: unknown;
    },
    private readonly events: MailboxEvents,
  ) {
    this.#encoding = readEncoding(options.encoding);
    this.#ignoreSubscribeMessages = options.ignoreSubscribeMessages;
    const overflow = new OverflowReport((gap) => {
      events.gap(gap);
    });
    const policy = readChoice('bufferPolicy', options.bufferPolicy, ['drop-oldest', 'drop-newest']);
    this.#queue = new MessageQueue(options.bufferLimit, policy, (message) => {
      overflow.dropped(message);
    });
  }

  /** How many messages nobody read in time. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** How many messages wait to be read. */
  get unread(): number {
    return this.#queue.length;
  }

  /** A handler that fails does not keep the next message from its own. */
  deliver(subscription: Subscription, channel: Buffer, data: Buffer, node: string): void {
    const message = dataMessage(this.#encoding, subscription, channel, data);
    const { handler } = subscription;
    if (handler === undefined) {
      this.#queue.push(message);
      return;
    }
    const failed = (cause: unknown): void => {
      this.events.error(new HandlerError(subscription.text, { cause }));
    };
    try {
      const result = handler(message, node);
      if (isPromiseLike(result)) {
        result.then(undefined, failed);
      }
    } catch (cause) {
      failed(cause);
    }
  }

  confirm(type: ConfirmationMessage['type'], name: ChannelName, count: number): void {
    if (!this.#ignoreSubscribeMessages) {
      this.#queue.push(confirmationMessage(this.#encoding, type, name, count));
    }
  }

  /** What waits and what comes, until `open` says no and nothing waits any more. */
  async *iterate(open: () => boolean): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    while (this.#queue.length > 0 || open()) {
      const message = await this.#queue.read('iteration', () => true, open() ? Infinity : 0);
      if (message !== undefined) {
        yield message;
      }
    }
  }

  async read({
    timeout = 0,
    ignoreSubscribeMessages = false,
  }: GetMessageOptions): Promise<PubSubMessage<E> | null> {
    const ms = timeout ?? Infinity;
    if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) {
      throw new InvalidArgumentError('timeout is a number of ms from 0 up, or null to wait for ever.');
    }
    const wants = (message: PubSubMessage<E>): boolean =>
      !ignoreSubscribeMessages || !isConfirmation(message);
    return (await this.#queue.read('single', wants, ms)) ?? null;
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
}

function readEncoding(encoding: unknown): PubSubEncoding {
  if (encoding === undefined || encoding === 'utf8' || encoding === 'buffer') {
    return encoding ?? 'utf8';
  }
  throw new InvalidArgumentError('encoding is "utf8" or "buffer".');
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
