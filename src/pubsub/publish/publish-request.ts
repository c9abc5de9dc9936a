import { displayName } from '../common/channel-name.js';
import type { CommandConnection, ReplyHandler } from '../connection/command-connection.js';
import { PublishError, type ClusterPubSubError, type PublishOutcome } from '../common/errors.js';
import type { OutgoingChannel } from './outgoing-channel.js';
import type { PublishObserver } from '../common/publish-options.js';
import type { NodeKey } from '../common/node-address.js';
import type { ConnectionLostError } from '../connection/resp-socket.js';
import type { RedisReplyError, Reply } from '../resp/reply.js';
import type { OutgoingPayload } from '../ordering/sequence-stamp.js';
import { errorMessage } from '../../util/error-message.js';

/** Who sends messages, and judges what Redis says of them. */
export interface PublishReplyListener {
  answered(
    request: PublishRequest,
    error: RedisReplyError | ConnectionLostError | undefined,
    reply: Reply,
  ): void;
}

/** A message on its way to Redis. */
export class PublishRequest implements ReplyHandler {
  /** Its place in the sequence of its lane, once it has been written. */
  stamp: string | undefined = undefined;
  /** Where it was written last. */
  connection: CommandConnection | undefined = undefined;
  /** Whether it has waited for its node or its subscribers, and was counted among those that may. */
  waited = false;
  /** Whether a copy may have reached Redis without an answer. */
  outcomeUnknown = false;
  /** The count of a copy that Redis took, though perhaps at a node that should not have. */
  unverifiedCount: number | undefined = undefined;
  /** When to give up, in ms since the epoch; told when it first has to wait. */
  deadline = 0;
  /** How often its count was too low to be believed. */
  recounts = 0;
  redirects = 0;
  /** How often Redis has refused it with an error that passes. */
  refusals = 0;

  constructor(
    private readonly keeper: PublishReplyListener,
    readonly outgoingChannel: OutgoingChannel,
    readonly data: OutgoingPayload,
    readonly verifyZero: boolean,
    readonly sequenced: boolean,
    /** Which call this was: what has to wait goes out in the order of the calls. */
    readonly serial: number,
    private readonly observer: PublishObserver,
    /** Whether the engine has published it for itself. */
    readonly isProbe = false,
  ) {}

  answered(error: RedisReplyError | ConnectionLostError | undefined, reply: Reply): void {
    this.keeper.answered(this, error, reply);
  }

  /** Tells the observer at once: not from within a loop over others, for it may publish. */
  resolve(count: number): void {
    this.observer.published(count);
  }

  resolveSoon(count: number): void {
    queueMicrotask(() => {
      this.observer.published(count);
    });
  }

  reject(error: ClusterPubSubError): void {
    queueMicrotask(() => {
      this.observer.failed(error);
    });
  }
}

/** Who sends what has waited, and tells what cannot be sent. */
export interface PublishRequestListener {
  dispatch(request: PublishRequest): void;
  fail(request: PublishRequest, error: ClusterPubSubError): void;
}

/** Whether receivers bear a second copy. */
export function isRepeatable({ stamp, verifyZero }: PublishRequest): boolean {
  return stamp !== undefined || verifyZero;
}

/** The error of a message that has to be given up: what became of it, and why. */
export function publishFailure(
  { outgoingChannel: channel, outcomeUnknown: doubtful }: PublishRequest,
  node: NodeKey | undefined,
  cause: unknown,
): PublishError {
  const outcome: PublishOutcome = doubtful ? 'unknown' : 'not-delivered';
  const reason = errorMessage(cause);
  return new PublishError(displayName(channel.channel), node, outcome, reason, { cause });
}
