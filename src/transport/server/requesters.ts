import { GenerationalCache } from '../../util/generational-cache.js';
import type { ReplyAddress } from './reply-publisher.js';

/** How many requesters are remembered at least; each takes some 1.5 KB. */
const MIN_REMEMBERED_REQUESTERS = 4_096;

/** How many of the latest counts a duplicate is recognized in. */
const WINDOW_SIZE = 8_192;

/** Of a count in base 36: more digits might exceed the safe integers. */
const MAX_DIGITS = 10;

/** How many foreign ids are remembered at least. */
const MIN_REMEMBERED_FOREIGN_IDS = 256;

/** No client sends more requests between two that reach the same server: an id further ahead is forged. */
const MAX_ID_GAP = 2 ** 20;

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

/**
 * Recognizes duplicates of one requester's requests. Our clients count their requests in base 36, so one bit for each of
 * the last 8,192 is enough. Foreign ids are remembered one by one, in two generations of bounded size.
 *
 * @internal
 */
export class RequestIdWindow {
  #highest = -1;
  /** A ring of one bit a count; allocated for the first one. */
  #bits: Uint32Array | undefined;
  #foreignIds: GenerationalCache<true> | undefined;

  /** Whether the id is new; remembers it. */
  isFirst(id: string): boolean {
    const count = countOf(id);
    return count === undefined || this.#isForged(count)
      ? this.#isFirstForeign(id)
      : this.#isFirstCount(count);
  }

  /** The first id may be any. */
  #isForged(count: number): boolean {
    return this.#highest >= 0 && count - this.#highest > MAX_ID_GAP;
  }

  #isFirstCount(count: number): boolean {
    const bits = (this.#bits ??= new Uint32Array(WINDOW_SIZE / 32));
    if (count > this.#highest) {
      this.#clearUpTo(bits, count);
      this.#highest = count;
    } else if (count <= this.#highest - WINDOW_SIZE) {
      return true; // before the window: unknown
    }
    const index = (count % WINDOW_SIZE) >>> 5;
    const bit = 1 << (count % 32);
    const word = bits[index] ?? 0;
    bits[index] = word | bit;
    return (word & bit) === 0;
  }

  /** Clears the bits of the counts above the highest up to this one: they still hold counts of a window before. */
  #clearUpTo(bits: Uint32Array, count: number): void {
    if (count - this.#highest >= WINDOW_SIZE) {
      bits.fill(0);
      return;
    }
    for (let next = this.#highest + 1; next <= count; next += 1) {
      const index = (next % WINDOW_SIZE) >>> 5;
      bits[index] = (bits[index] ?? 0) & ~(1 << (next % 32));
    }
  }

  #isFirstForeign(id: string): boolean {
    this.#foreignIds ??= new GenerationalCache<true>(MIN_REMEMBERED_FOREIGN_IDS);
    if (this.#foreignIds.get(id) === true) {
      return false;
    }
    this.#foreignIds.add(id, true);
    return true;
  }
}

/** The count that `Number#toString(36)` turned into this id; undefined for a foreign id. */
function countOf(id: string): number | undefined {
  if (id.length === 0 || id.length > MAX_DIGITS || (id.length > 1 && id.startsWith('0'))) {
    return undefined;
  }
  let count = 0;
  for (let at = 0; at < id.length; at += 1) {
    const code = id.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) {
      count = count * 36 + code - 0x30;
    } else if (code >= 0x61 && code <= 0x7a) {
      count = count * 36 + code - 0x61 + 10;
    } else {
      return undefined;
    }
  }
  return count;
}
