import type { ReplyAddress } from './replies.js';
import type { ServerRequest } from './server-request.js';

/** How many requests are remembered at least. */
const GENERATION = 8_192;

/** Who sends requests to this server: one reply inbox. */
export class Asker {
  /** Those that are not over, so that the asker can leave them. */
  readonly running = new Map<string, ServerRequest>();
  /** The last ones, in two generations. */
  young = new Set<string>();
  old: ReadonlySet<string> | undefined;

  constructor(readonly address: ReplyAddress) {}
}

/**
 * Remembers who asked what lately, to drop second copies: a sender that gets a doubtful count publishes the same bytes
 * again. Two generations of a bounded size over all askers; when the young one is full, the old one is forgotten.
 *
 * By asker, for a key of asker and id would have to be put together with every request.
 *
 * @internal
 */
export class Askers {
  readonly #askers = new Map<string, Asker>();
  #size = 0;

  constructor(private readonly generation = GENERATION) {}

  /** The asker that waits at the channel, known or new. */
  at(replyTo: string, kind: ReplyAddress['kind']): Asker {
    if (this.#size >= this.generation) {
      this.#forgetOld();
    }
    let asker = this.#askers.get(replyTo);
    if (asker === undefined) {
      asker = new Asker({ kind, channel: replyTo, stock: false });
      this.#askers.set(replyTo, asker);
    }
    return asker;
  }

  /** Whether this asker's `id` comes for the first time; remembers it. */
  isFirst(asker: Asker, id: string): boolean {
    if (asker.young.has(id) || asker.old?.has(id) === true) {
      return false;
    }
    this.#size += 1;
    asker.young.add(id);
    return true;
  }

  #forgetOld(): void {
    this.#size = 0;
    for (const [replyTo, asker] of this.#askers) {
      if (asker.young.size > 0) {
        asker.old = asker.young;
        asker.young = new Set();
      } else {
        asker.old = undefined;
        if (asker.running.size === 0) {
          this.#askers.delete(replyTo);
        }
      }
    }
  }
}
