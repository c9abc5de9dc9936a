import { displayName } from '../common/channel-name.js';
import { isCount, type CommandConnection, type ReplyHandler } from '../connection/command-connection.js';
import { PublishError, type ClusterPubSubError, type PublishOutcome } from '../common/errors.js';
import type { OutgoingChannel } from './outgoing-channel.js';
import type { PublishObserver } from '../common/publish-options.js';
import type { NodeKey } from '../common/node-address.js';
import type { ConnectionLostError } from '../connection/resp-socket.js';
import type { RedisReplyError, Reply } from '../resp/reply.js';
import type { OutgoingPayload } from '../ordering/sequence-stamp.js';
import { errorMessage } from '../../util/error-message.js';

/** Receives the replies to messages. */
export interface PublishReplyListener {
  onReply(
    request: PublishRequest,
    error: RedisReplyError | ConnectionLostError | undefined,
    reply: Reply,
  ): void;
  /** The caller is told the outcome of a message. */
  settled(): void;
}

/** A connection that several publishers share, and how many messages of this one are in flight on it. */
export interface Outlet {
  readonly connection: CommandConnection;
  inFlight: number;
  /** Listens to the end of the connection. */
  readonly onClose: () => void;
}

/** A message on its way to Redis. */
export class PublishRequest implements ReplyHandler {
  /** Its place in the sequence of its channel, once it has been written. */
  stamp: string | undefined = undefined;
  /** The connection on which it was last written. */
  outlet: Outlet | undefined = undefined;
  /** It has waited for its node or its subscribers, within the limit of messages that may. */
  waited = false;
  /** A copy may have reached Redis whose reply was lost. */
  outcomeUnknown = false;
  /** The count of a copy that was published, perhaps at a node that no longer owns the slot. */
  unverifiedCount: number | undefined = undefined;
  /** When to give up, in ms since the epoch; set when it first has to wait. */
  deadline = 0;
  /** How often its count was too low to be trusted. */
  recounts = 0;
  redirects = 0;
  /** How often Redis has refused it with a transient error. */
  refusals = 0;
  /** The last of these errors. */
  refusal: RedisReplyError | undefined = undefined;

  constructor(
    private readonly listener: PublishReplyListener,
    readonly outgoingChannel: OutgoingChannel,
    readonly data: OutgoingPayload,
    readonly verifyZero: boolean,
    readonly sequenced: boolean,
    /** Number of the call: messages that wait go out in the order of the calls. */
    readonly serial: number,
    private readonly observer: PublishObserver,
  ) {}

  accepts(reply: Reply): boolean {
    return isCount(reply);
  }

  onReply(error: RedisReplyError | ConnectionLostError | undefined, reply: Reply): void {
    this.listener.onReply(this, error, reply);
  }

  /** Calls the observer at once: not to be used in a loop over requests, because the observer may publish. */
  resolve(count: number): void {
    this.listener.settled();
    this.observer.published(count);
  }

  resolveSoon(count: number): void {
    this.listener.settled();
    queueMicrotask(() => this.observer.published(count));
  }

  reject(error: ClusterPubSubError): void {
    this.listener.settled();
    queueMicrotask(() => this.observer.failed(error));
  }
}

/** Sends messages that have waited, and fails those that cannot be sent. */
export interface PublishRequestListener {
  dispatch(request: PublishRequest): void;
  fail(request: PublishRequest, error: ClusterPubSubError): void;
}

/** True if receivers tolerate a duplicate. */
export function isRepeatable({ stamp, verifyZero }: PublishRequest): boolean {
  return stamp !== undefined || verifyZero;
}

/** The error for a message that cannot be sent: its outcome and the cause. */
export function publishFailure(
  { outgoingChannel: { channel }, outcomeUnknown }: PublishRequest,
  node: NodeKey | undefined,
  cause: unknown,
): PublishError {
  const outcome: PublishOutcome = outcomeUnknown ? 'unknown' : 'not-delivered';
  const reason = errorMessage(cause);
  return new PublishError(displayName(channel), node, outcome, reason, { cause });
}
