import { AuthenticationError, ForeignNodeError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { RedisReplyError } from '../resp/reply.js';

/** For how long what Redis said explains why a socket failed since then, in ms. */
const WORDS_COUNT_FOR_MS = 5_000;

/** How long what was seen of a node is remembered, in ms: addresses come and go. */
const REMEMBERED_FOR_MS = 60_000;

interface Failure {
  readonly error: Error;
  readonly at: number;
}

/**
 * Why each node could not be connected to when that was last tried. Whoever gives up waiting for a node reports this as
 * its reason, and not only that the time was over.
 */
export class NodeFailures {
  readonly #failures = new Map<NodeKey, Failure>();

  /** What Redis has said is not replaced by what the socket says after it. */
  note(node: NodeKey, error: Error): void {
    const now = performance.now();
    forgetOld(this.#failures, now);
    const former = this.#failures.get(node);
    const isKept =
      former !== undefined &&
      now - former.at < WORDS_COUNT_FOR_MS &&
      isSaidByRedis(former.error) &&
      !isSaidByRedis(error);
    if (!isKept) {
      this.#failures.set(node, { error, at: now });
    }
  }

  /** The node was reached. */
  forget(node: NodeKey): void {
    this.#failures.delete(node);
  }

  of(node: NodeKey): Error | undefined {
    return this.#failures.get(node)?.error;
  }
}

/** Drops what was seen of nodes long ago. */
export function forgetOld(seen: Map<NodeKey, { readonly at: number }>, now: number): void {
  for (const [node, { at }] of seen) {
    if (now - at > REMEMBERED_FOR_MS) {
      seen.delete(node);
    }
  }
}

/** True for what the server said itself, as opposed to what became of the socket. */
export function isSaidByRedis(error: unknown): boolean {
  return (
    isReply(error) ||
    error instanceof AuthenticationError ||
    error instanceof ForeignNodeError ||
    (error instanceof Error && isReply(error.cause))
  );
}

/** An error reply, read by us or by ioredis. */
function isReply(error: unknown): boolean {
  return error instanceof RedisReplyError || (error instanceof Error && error.name === 'ReplyError');
}
