/**
 * Any channel with this in its name is ours: requests for wildcard handlers and reply inboxes. Wildcard handlers of
 * users never see them, whatever prefix the sender has.
 */
const RESERVED = '_cps:';

const INBOX = `${RESERVED}in:`;

/** Far more than any prefix needs. */
const LONGEST_INBOX = 512;

/** @internal */
export function isReserved(channel: string): boolean {
  return channel.includes(RESERVED);
}

/**
 * Whether it can be the reply inbox of a client, of whatever prefix: wildcards see requests of other applications too.
 *
 * @internal
 */
export function isInbox(channel: string): boolean {
  return channel.length <= LONGEST_INBOX && channel.includes(INBOX);
}

/**
 * How the names of one application (one `prefix`) look on the cluster.
 *
 * @internal
 */
export class ChannelNames {
  constructor(private readonly prefix: string) {}

  /** Where events of a pattern go, classic and sharded, and where exact request handlers sit. */
  channel(route: string): string {
    return this.prefix + route;
  }

  /** The classic channel of a request: for wildcard handlers, and for all handlers where shard channels are unknown. */
  request(route: string): string {
    return `${this.prefix}${RESERVED}req:${route}`;
  }

  /** The channel of the pattern of a request, given the classic channel that it came by. */
  ofRequest(requestChannel: string): string {
    return this.prefix + requestChannel.slice(this.request('').length);
  }

  /** The reply inbox of a client; the braces pin it to the slot of `tag`, and so to a shard of choice. */
  inbox(clientId: string, tag: string): string {
    return `${this.prefix}${INBOX}${clientId}:{${tag}}`;
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

const SPECIAL = '*?[';
const ESCAPABLE = '*?[]\\';

/**
 * Tells wildcards from exact names. `*`, `?` and `[…]` are wildcards unless a `\` stands before them; a `\` before
 * anything but `*?[]\` is a character like others. Redis takes every `\` for an escape, so those are doubled in the
 * glob.
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
      wildcard ||= SPECIAL.includes(char);
      name += char;
      glob += char;
    }
  }
  return wildcard ? { kind: 'wildcard', glob } : { kind: 'exact', name };
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}
