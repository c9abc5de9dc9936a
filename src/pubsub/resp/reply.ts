/** An error reply of Redis: `-MOVED 3999 127.0.0.1:6381`. Its first word is the `kind`. */
export class RedisReplyError extends Error {
  readonly kind: string;

  constructor(text: string) {
    super(text);
    this.name = 'RedisReplyError';
    const space = text.indexOf(' ');
    this.kind = space === -1 ? text : text.slice(0, space);
  }
}

/** The server has sent what is not a reply, or not the one that was due: the connection cannot be used any more. */
export class InvalidReplyError extends Error {
  constructor(detail: string) {
    super(`invalid reply: ${detail}`);
    this.name = 'InvalidReplyError';
  }
}

/**
 * The slot is elsewhere, or the node or the cluster needs a moment: the command was not run and may work soon. A node that
 * runs a long script or module command says `BUSY` to everything else.
 */
const TRANSIENT = new Set(['MOVED', 'ASK', 'CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN', 'BUSY']);

export function isTransient({ kind }: RedisReplyError): boolean {
  return TRANSIENT.has(kind);
}

/** A node that cannot save its data refuses PING with `MISCONF`, as it does writes, and serves everything we send. */
export function isServingRefusal(message: string): boolean {
  return message.startsWith('MISCONF ');
}

/** A decoded reply. Strings of all types stay bytes; maps and sets of RESP3 become flat arrays, as in RESP2. */
export type Reply = number | Buffer | null | RedisReplyError | readonly Reply[];
