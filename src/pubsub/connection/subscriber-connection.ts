import { spells } from '../../util/bytes.js';
import { bytesOfKey, keyOfBytes, type ChannelKey } from '../common/channel-name.js';
import type { OpenSocket } from './connection-factory.js';
import { deferred, type Deferred } from '../../util/promises.js';
import { FifoQueue } from '../../util/fifo-queue.js';
import type { NodeKey } from '../common/node-address.js';
import { RespSocket, type ConnectionLostError } from './resp-socket.js';
import { InvalidReplyError, RedisReplyError, type Reply } from '../resp/reply.js';
import { frameType, SUBSCRIPTION_KINDS, type SubscriptionKind } from '../common/subscription-kind.js';

/** The owner of a {@link SubscriberConnection}. */
export interface SubscriberConnectionListener {
  /** `match` is the channel or pattern that was subscribed. */
  message(kind: SubscriptionKind, match: ChannelKey, channel: Buffer, data: Buffer): void;
  /** Redis ended a subscription unasked: the slot has left this node. */
  revoked(kind: SubscriptionKind, channel: ChannelKey): void;
  closed(error: ConnectionLostError): void;
  /** The data of one read was handled. */
  handled(): void;
}

type Expectation = 'subscribed' | 'unsubscribed';

interface PendingCommand {
  /** Undefined for PING. */
  readonly kind: SubscriptionKind | undefined;
  readonly expects: Expectation | 'pong';
  readonly unconfirmed: Set<ChannelKey>;
  readonly onConfirmed: ((name: ChannelKey) => void) | undefined;
  readonly done: Deferred<undefined>;
}

const PING: PendingCommand = {
  kind: undefined,
  expects: 'pong',
  unconfirmed: new Set(),
  onConfirmed: undefined,
  done: { promise: Promise.resolve(undefined), resolve: () => undefined, reject: () => undefined },
};

/**
 * One connection to one node that carries subscriptions of all three kinds.
 *
 * A command is done when Redis has confirmed each of its names; confirmations arrive in the order of the commands, with
 * messages between them.
 */
export class SubscriberConnection {
  readonly #pending = new FifoQueue<PendingCommand>();
  readonly #socket: RespSocket;
  readonly #channels = new ChannelKeyReader();

  constructor(
    readonly node: NodeKey,
    opened: OpenSocket,
    commandTimeout: number,
    private readonly listener: SubscriberConnectionListener,
  ) {
    this.#socket = new RespSocket(node, opened, commandTimeout, {
      reply: (reply, isPush) => this.#receive(reply, isPush),
      message: (type, buffer, channelStart, channelEnd, dataStart, dataEnd) => {
        const kind = type === 'smessage' ? SUBSCRIPTION_KINDS.shard : SUBSCRIPTION_KINDS.channel;
        const key = this.#channels.read(buffer, channelStart, channelEnd);
        const channel = buffer.subarray(channelStart, channelEnd);
        listener.message(kind, key, channel, buffer.subarray(dataStart, dataEnd));
      },
      waiting: () => this.#pending.length,
      handled: () => listener.handled(),
      ended: (error) => {
        for (const command of this.#pending.drain()) {
          command.done.reject(error);
        }
        listener.closed(error);
      },
    });
  }

  get closed(): boolean {
    return this.#socket.endedBy !== undefined;
  }

  /**
   * Resolves when every name is confirmed.
   *
   * `onConfirmed` is called within the read that contains the confirmation, because the next frame may already revoke it.
   * Rejects with a {@link RedisReplyError} when Redis refuses the command (none of its names is subscribed then), or with
   * a {@link ConnectionLostError}.
   */
  subscribe(
    kind: SubscriptionKind,
    names: readonly ChannelKey[],
    onConfirmed: (name: ChannelKey) => void,
  ): Promise<undefined> {
    return this.#command(kind, 'subscribed', names, onConfirmed);
  }

  unsubscribe(kind: SubscriptionKind, names: readonly ChannelKey[]): Promise<undefined> {
    return this.#command(kind, 'unsubscribed', names);
  }

  /** When data last arrived, by the monotonic clock, in ms. */
  get lastReceived(): number {
    return this.#socket.lastReceived;
  }

  /** See {@link RespSocket.completeUntil}. */
  get completeUntil(): number {
    return this.#socket.completeUntil;
  }

  /** Makes the node send something; the reply is not reported. */
  ping(): void {
    if (!this.closed) {
      this.#socket.write(['PING']);
      this.#pending.push(PING);
    }
  }

  close(): void {
    this.#socket.close();
  }

  /** Ends a connection that no longer delivers. */
  end(detail: string): void {
    this.#socket.end(detail, 'unresponsive');
  }

  #command(
    kind: SubscriptionKind,
    expects: Expectation,
    names: readonly ChannelKey[],
    onConfirmed?: (name: ChannelKey) => void,
  ): Promise<undefined> {
    const { endedBy } = this.#socket;
    if (endedBy !== undefined) {
      return Promise.reject(endedBy);
    }
    const done = deferred<undefined>();
    const command = expects === 'subscribed' ? kind.subscribe : kind.unsubscribe;
    const unconfirmed = new Set(names);
    this.#socket.write([command, ...[...unconfirmed].map(bytesOfKey)]);
    this.#pending.push({ kind, expects, unconfirmed, onConfirmed, done });
    return done.promise;
  }

  #receive(reply: Reply, isPush: boolean): void {
    const elements = Array.isArray(reply) ? (reply as readonly Reply[]) : undefined;
    const type = elements?.[0];
    const frame = Buffer.isBuffer(type) ? frameType(type) : undefined;
    if (frame?.is === 'message') {
      this.#receiveMessage(frame.kind, elements ?? []);
    } else if (frame !== undefined) {
      this.#confirm(frame.kind, frame.is, elements?.[1]);
    } else if (!isPush) {
      this.#endCommand(reply);
    }
  }

  #receiveMessage(kind: SubscriptionKind, elements: readonly Reply[]): void {
    // `pmessage` names the pattern and then the channel; the other kinds name the channel alone.
    const length = kind.name === 'pattern' ? 4 : 3;
    if (elements.length !== length || !elements.every((element) => Buffer.isBuffer(element))) {
      throw new InvalidReplyError('a message without a channel or data');
    }
    const [, match, ...rest] = elements as readonly [Buffer, Buffer, ...Buffer[]];
    const data = rest.at(-1) as Buffer;
    this.listener.message(
      kind,
      keyOfBytes(match),
      kind.name === 'pattern' ? (rest[0] as Buffer) : match,
      data,
    );
  }

  /**
   * A confirmation belongs to the oldest command if that one waits for it. A `sunsubscribe` that no command waits for
   * means that the slot has moved.
   */
  #confirm(kind: SubscriptionKind, is: Expectation, bytes: Reply | undefined): void {
    const head = this.#pending.peek();
    const name = Buffer.isBuffer(bytes) ? keyOfBytes(bytes) : undefined;
    if (name !== undefined && head?.kind === kind && head.expects === is && head.unconfirmed.delete(name)) {
      head.onConfirmed?.(name);
      if (head.unconfirmed.size === 0) {
        this.#pending.shift();
        head.done.resolve(undefined);
      }
    } else if (name !== undefined && is === 'unsubscribed') {
      this.listener.revoked(kind, name);
    } else {
      throw new InvalidReplyError('a confirmation that no command waits for');
    }
  }

  /** The reply to PING, or an error. */
  #endCommand(reply: Reply): void {
    const head = this.#pending.peek();
    const isError = reply instanceof RedisReplyError;
    if (head === undefined || (!isError && head.expects !== 'pong')) {
      throw new InvalidReplyError(isError ? reply.message : 'one that no command waits for');
    }
    this.#pending.shift();
    if (isError) {
      head.done.reject(reply);
    }
  }
}

/** Reads channel keys from buffers. Most messages are for the same channel as the one before, whose key is reused. */
export class ChannelKeyReader {
  #last = '' as ChannelKey;

  read(buffer: Buffer, start: number, end: number): ChannelKey {
    if (!spells(buffer, start, end, this.#last)) {
      this.#last = keyOfBytes(buffer.subarray(start, end));
    }
    return this.#last;
  }
}
