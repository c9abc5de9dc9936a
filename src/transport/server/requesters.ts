import { GenerationalCache } from '../../util/generational-cache.js';
import type { ReplyAddress } from './reply-publisher.js';
import { RequestIdWindow } from './request-id-window.js';

/** How many requesters are remembered at least; each takes some 1.5 KB. */
const MIN_REMEMBERED_REQUESTERS = 4_096;

/** A sender of requests to this server: one reply inbox. */
export class Requester {
  /** The requests in progress by id, so that the requester can cancel them. */
  readonly running = new Map<string, { stop(): void }>();
  /** The ids received so far: a sender that gets an uncertain receiver count publishes the same bytes again. */
  readonly ids = new RequestIdWindow();
  readonly #idsWithoutHandler = new Map<string, RequestIdWindow>();
  #address: ReplyAddress | undefined;

  constructor(private readonly channel: string) {}

  /** The ids without a handler at one subscription: the requester counts one reply from each subscription. */
  idsWithoutHandler(subscription: string): RequestIdWindow {
    let ids = this.#idsWithoutHandler.get(subscription);
    if (ids === undefined) {
      ids = new RequestIdWindow();
      this.#idsWithoutHandler.set(subscription, ids);
    }
    return ids;
  }

  /** The address of its inbox. Each request names the kind of channel: the previous request may have been forged. */
  address(kind: ReplyAddress['kind']): ReplyAddress {
    if (this.#address?.kind !== kind) {
      this.#address = { kind, channel: this.channel, stock: false };
    }
    return this.#address;
  }
}

/**
 * Remembers the recent requesters and their requests.
 *
 * @internal
 */
export class Requesters {
  readonly #requesters = new GenerationalCache<Requester>(
    MIN_REMEMBERED_REQUESTERS,
    ({ running }) => running.size > 0,
  );

  /** The requester with this reply channel, known or new. */
  at(replyTo: string): Requester {
    let requester = this.#requesters.get(replyTo);
    if (requester === undefined) {
      requester = new Requester(replyTo);
      this.#requesters.add(replyTo, requester);
    }
    return requester;
  }
}
