import { GenerationalCache } from '../../util/generational-cache.js';
import type { ReplyAddress } from './reply-publisher.js';
import { RequestIdWindow } from './request-id-window.js';

/** How many askers are remembered at least; each takes some 1.5 KB. */
const REMEMBERED = 4_096;

/** Who sends requests to this server: one reply inbox. */
export class Requester {
  /** Those that are not over, so that the asker can leave them. */
  readonly running = new Map<string, { stop(): void }>();
  /** A sender that gets a doubtful count publishes the same bytes again. */
  readonly seen = new RequestIdWindow();
  readonly #declined = new Map<string, RequestIdWindow>();
  #address: ReplyAddress | undefined;

  constructor(private readonly channel: string) {}

  /** What was declined at one subscription: the asker counts one answer from each. */
  noHandlerReportedAt(lane: string): RequestIdWindow {
    let seen = this.#declined.get(lane);
    if (seen === undefined) {
      seen = new RequestIdWindow();
      this.#declined.set(lane, seen);
    }
    return seen;
  }

  /** Where it waits. Each request says which kind of channel that is, for the one before may have been forged. */
  address(kind: ReplyAddress['kind']): ReplyAddress {
    if (this.#address?.kind !== kind) {
      this.#address = { kind, channel: this.channel, stock: false };
    }
    return this.#address;
  }
}

/**
 * Remembers who has asked lately, and what.
 *
 * @internal
 */
export class Requesters {
  readonly #askers = new GenerationalCache<Requester>(REMEMBERED, ({ running }) => running.size > 0);

  /** The asker that waits at the channel, known or new. */
  at(replyTo: string): Requester {
    let asker = this.#askers.get(replyTo);
    if (asker === undefined) {
      asker = new Requester(replyTo);
      this.#askers.add(replyTo, asker);
    }
    return asker;
  }
}
