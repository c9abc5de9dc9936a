import { types } from 'node:util';
import { escapeGlob } from '../../pubsub/common/channel-name.js';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import { INBOX_MARK } from '../common/client-id.js';

/**
 * Marks our own channels: requests for wildcard handlers, and reply inboxes. Wildcard handlers of users never receive
 * from them, whatever the prefix of the sender.
 */
const RESERVED = '_cps:';

/** In characters; far more than any prefix needs. */
const MAX_INBOX_LENGTH = 512;

/** @internal */
export function isReserved(channel: string): boolean {
  return channel.includes(RESERVED);
}

/**
 * True for a name that may be the reply inbox of a client. Any prefix will do, because wildcard handlers receive
 * requests of other applications too.
 *
 * @internal
 */
export function isInbox(channel: string): boolean {
  return channel.length <= MAX_INBOX_LENGTH && channel.includes(INBOX_MARK);
}

/**
 * Names on the cluster of one application's channels (one `prefix`).
 *
 * @internal
 */
export class ChannelNames {
  constructor(private readonly prefix: string) {}

  /** The channel of events of a pattern, classic and sharded, and of requests to exact handlers. */
  channel(route: string): string {
    return this.prefix + route;
  }

  /** The classic channel of requests: to wildcard handlers, and on Redis 6 to all handlers. */
  request(route: string): string {
    return `${this.prefix}${RESERVED}req:${route}`;
  }

  /** Turns the name made by {@link request} into that of {@link channel}. */
  ofRequest(requestChannel: string): string {
    return this.prefix + requestChannel.slice(this.request('').length);
  }

  /** The reply inbox of a client. The braces pin it to the slot of `tag`, and so to a chosen shard. */
  inbox(clientId: string, tag: string): string {
    return `${this.prefix}${INBOX_MARK}${clientId}:{${tag}}`;
  }

  pattern(glob: string): string {
    return escapeGlob(this.prefix) + glob;
  }

  requestPattern(glob: string): string {
    return escapeGlob(`${this.prefix}${RESERVED}req:`) + glob;
  }
}

/** A handler's pattern: the name of one channel, or a glob in Redis's own notation. */
export type ParsedPattern =
  { readonly kind: 'exact'; readonly name: string } | { readonly kind: 'wildcard'; readonly glob: string };

const WILDCARDS = '*?[';
const ESCAPABLE = '*?[]\\';

/**
 * Distinguishes wildcards from exact names. `*`, `?` and `[…]` are wildcards unless escaped by `\`; a `\` before
 * anything but `*?[]\` is an ordinary character. Redis takes every `\` for an escape, so those are doubled in the glob.
 *
 * @internal
 */
export function parsePattern(pattern: string): ParsedPattern {
  let name = '';
  let glob = '';
  let wildcard = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    const next = pattern.charAt(i + 1);
    if (char === '\\' && next !== '' && ESCAPABLE.includes(next)) {
      name += next;
      glob += char + next;
      i++;
    } else if (char === '\\') {
      name += char;
      glob += '\\\\';
    } else {
      wildcard ||= WILDCARDS.includes(char);
      name += char;
      glob += char;
    }
  }
  return wildcard ? { kind: 'wildcard', glob } : { kind: 'exact', name };
}

/**
 * The route of a symbol, which Nest leaves a symbol when it normalizes patterns: its text, such as `Symbol(orders)`.
 * Undefined for other patterns.
 *
 * @internal
 * @throws {InvalidArgumentError} for a RegExp, which Nest would turn into `{}`.
 */
export function symbolRoute(pattern: unknown): string | undefined {
  if (types.isRegExp(pattern)) {
    throw new InvalidArgumentError(
      `A RegExp (${String(pattern)}) cannot be a pattern: Redis matches channels by *, ? and […] only.`,
    );
  }
  return typeof pattern === 'symbol' ? String(pattern) : undefined;
}

/**
 * Returns a normalized pattern that can be the name of a channel.
 *
 * @internal
 * @throws {InvalidArgumentError} when it cannot.
 */
export function assertRoute(route: unknown): string {
  if (typeof route !== 'string') {
    throw new InvalidArgumentError(
      `A pattern must be a string, a number, a symbol or an object, received ${String(route)}.`,
    );
  }
  if (isReserved(route)) {
    throw new InvalidArgumentError(
      `"${route}" cannot be a pattern: "${RESERVED}" is reserved for channels of this package.`,
    );
  }
  return route;
}
