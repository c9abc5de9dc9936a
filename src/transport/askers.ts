import { Generations } from '../pubsub/generations.js';
import type { ReplyAddress } from './replies.js';
import { SeenIds } from './seen-ids.js';
import type { ServerRequest } from './server-request.js';

/** How many askers are remembered at least; each takes some 3 KB. */
const REMEMBERED = 1_024;

/** Who sends requests to this server: one reply inbox. */
export class Asker {
  /** Those that are not over, so that the asker can leave them. */
  readonly running = new Map<string, ServerRequest>();
  /** A sender that gets a doubtful count publishes the same bytes again. */
  readonly seen = new SeenIds();

  constructor(readonly address: ReplyAddress) {}
}

/**
 * Remembers who has asked lately, and what.
 *
 * @internal
 */
export class Askers {
  readonly #askers = new Generations<Asker>(REMEMBERED, ({ running }) => running.size > 0);

  /** The asker that waits at the channel, known or new. */
  at(replyTo: string, kind: ReplyAddress['kind']): Asker {
    let asker = this.#askers.get(replyTo);
    if (asker === undefined) {
      asker = new Asker({ kind, channel: replyTo, stock: false });
      this.#askers.add(replyTo, asker);
    }
    return asker;
  }
}
