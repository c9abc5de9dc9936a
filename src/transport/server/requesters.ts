import { GenerationalCache } from '../../util/generational-cache.js';
import { CLIENT_ID_LENGTH } from '../common/client-id.js';
import type { ReplyAddress } from './reply-publisher.js';

/**
 * What all requesters may take in memory together, in bytes: anybody can claim to be a new one with each message. Those
 * that were not seen for longest are forgotten first; some 10,000 of our clients fit.
 */
const MAX_BYTES = 32 * 1_024 * 1_024;

/** How many of the latest counts a duplicate is recognized in. */
const WINDOW_SIZE = 8_192;

/** Of a count in base 36: more digits might exceed the safe integers. */
const MAX_DIGITS = 10;

const DOT = 0x2e;
const ZERO = 0x30;

/** How many foreign ids are remembered at least. */
const MIN_REMEMBERED_FOREIGN_IDS = 256;

/** What the parts take in memory, in bytes, rounded up. */
const BYTES_PER_WINDOW = 1_536;
const BYTES_PER_FOREIGN_ID = 96;

/** A requester without its ids, in bytes, rounded up, and each character of its name. */
const BYTES_PER_REQUESTER = 1_024;
const BYTES_PER_CHARACTER = 2;

/** A request in progress. */
interface RunningRequest {
  stop(): void;
}

/** A sender of requests to this server: one reply inbox. */
export class Requester {
  /** The requests in progress by id, so that the requester can cancel them. */
  readonly running = new Map<string, RunningRequest>();
  #bytes: number;
  #ids: RequestIdWindow | undefined;
  #idsWithoutHandler: Map<string, RequestIdWindow> | undefined;
  #address: ReplyAddress | undefined;
  /** How many requests an asynchronous deserializer has, and how many it ever got. */
  #held = 0;
  #heldEver = 0;
  /** Those of them that were cancelled meanwhile, with the value of `#heldEver`: a later request is another one. */
  #cancelled: Map<string, number> | undefined;

  constructor(
    private readonly channel: string,
    private readonly onGrown: (bytes: number) => void,
  ) {
    this.#bytes = BYTES_PER_REQUESTER + BYTES_PER_CHARACTER * channel.length;
  }

  /** An estimate of what it takes in memory, without the running requests. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False if it may be forgotten. */
  get isActive(): boolean {
    return this.running.size > 0 || this.#held > 0;
  }

  /** Whether the id of a request is new: a sender that gets an uncertain receiver count publishes the same bytes again. */
  isFirst(id: string): boolean {
    return (this.#ids ??= new RequestIdWindow(this.#charge)).isFirst(id);
  }

  /** The same for a subscription without a handler: the requester counts one reply from each subscription. */
  isFirstWithoutHandler(id: string, subscription: string): boolean {
    const windows = (this.#idsWithoutHandler ??= new Map<string, RequestIdWindow>());
    let ids = windows.get(subscription);
    if (ids === undefined) {
      windows.set(subscription, (ids = new RequestIdWindow(this.#charge)));
    }
    return ids.isFirst(id);
  }

  /** The address of its inbox. Each request names the kind of channel: the previous request may have been forged. */
  address(kind: ReplyAddress['kind']): ReplyAddress {
    if (this.#address?.kind !== kind) {
      this.#address = { kind, channel: this.channel, stock: false };
    }
    return this.#address;
  }

  /** Called before a request is deserialized asynchronously. @returns its number */
  hold(): number {
    this.#held += 1;
    return this.#heldEver++;
  }

  /** Called after {@link hold}, once the request was dispatched. */
  release(): void {
    this.#held -= 1;
    if (this.#held === 0) {
      this.#cancelled = undefined;
    }
  }

  /** Stops a request that runs, or drops one that is held. Others are not remembered: the signal may be forged. */
  cancel(id: string): void {
    const request = this.running.get(id);
    if (request !== undefined) {
      request.stop();
    } else if (this.#held > (this.#cancelled?.size ?? 0)) {
      (this.#cancelled ??= new Map<string, number>()).set(id, this.#heldEver);
    }
  }

  /** Whether a request was cancelled while it was held under this number. */
  isCancelled(id: string, held: number | undefined): boolean {
    return held !== undefined && held < (this.#cancelled?.get(id) ?? 0);
  }

  forgetIds(): void {
    this.#ids = undefined;
    this.#idsWithoutHandler = undefined;
    this.#bytes = BYTES_PER_REQUESTER + BYTES_PER_CHARACTER * this.channel.length;
  }

  readonly #charge = (bytes: number): void => {
    this.#bytes += bytes;
    this.onGrown(bytes);
  };
}

/**
 * Remembers the recent requesters and their requests, within one limit for all of them.
 *
 * @internal
 */
export class Requesters {
  readonly #requesters = new GenerationalCache<Requester>(MAX_BYTES / 2, keepIfActive, ({ bytes }) => bytes);
  readonly #grow = (bytes: number): void => this.#requesters.grow(bytes);

  /** The requester with this reply channel, known or new. */
  at(replyTo: string): Requester {
    let requester = this.#requesters.get(replyTo);
    if (requester === undefined) {
      requester = new Requester(replyTo, this.#grow);
      this.#requesters.add(replyTo, requester);
    }
    return requester;
  }

  find(replyTo: string): Requester | undefined {
    return this.#requesters.get(replyTo);
  }
}

/** A requester that is kept for a request which runs for long keeps no more than that. */
function keepIfActive(requester: Requester): boolean {
  if (requester.isActive) {
    requester.forgetIds();
  }
  return requester.isActive;
}

/**
 * Recognizes duplicates of one requester's requests. Our clients count their requests in base 36, so one bit for each of
 * the last 8,192 is enough. Foreign ids are remembered one by one, in two generations of bounded size.
 *
 * Anybody can send an id that is far away from the others. It gets a window of its own, beside the one in use, so that
 * it makes neither a request look like a duplicate nor a duplicate like a request.
 *
 * @internal
 */
export class RequestIdWindow {
  #window: BitWindow | undefined;
  #otherWindow: BitWindow | undefined;
  #foreign: Set<string> | undefined;
  #olderForeign: Set<string> | undefined;
  #foreignBytes = 0;
  #olderForeignBytes = 0;

  constructor(
    /** Called with the bytes of memory that are taken, or negative ones that are given back. */
    private readonly charge: (bytes: number) => void,
  ) {}

  /** Whether the id is new; remembers it. */
  isFirst(id: string): boolean {
    const count = countOf(id);
    return count === undefined ? this.#isFirstForeign(id) : this.#isFirstCount(count);
  }

  #isFirstCount(count: number): boolean {
    const [window, other] = [this.#window, this.#otherWindow];
    if (window?.contains(count) === true || other?.contains(count) !== true) {
      if (window?.reaches(count) === true) {
        return window.isFirst(count);
      }
      this.#window = other?.reaches(count) === true ? other : this.#newWindow(count);
    } else {
      this.#window = other;
    }
    this.#otherWindow = window;
    return this.#window.isFirst(count);
  }

  #newWindow(count: number): BitWindow {
    if (this.#otherWindow === undefined) {
      this.charge(BYTES_PER_WINDOW);
    }
    return new BitWindow(count);
  }

  #isFirstForeign(id: string): boolean {
    const ids = (this.#foreign ??= new Set());
    if (ids.has(id) || this.#olderForeign?.has(id) === true) {
      return false;
    }
    if (ids.size >= MIN_REMEMBERED_FOREIGN_IDS) {
      this.charge(-this.#olderForeignBytes);
      this.#olderForeign = ids;
      this.#olderForeignBytes = this.#foreignBytes;
      this.#foreign = new Set([id]);
      this.#foreignBytes = 0;
    } else {
      ids.add(id);
    }
    const bytes = BYTES_PER_FOREIGN_ID + BYTES_PER_CHARACTER * id.length;
    this.#foreignBytes += bytes;
    this.charge(bytes);
    return true;
  }
}

/** One bit for each of the latest counts, in a ring. */
class BitWindow {
  readonly #bits = new Uint32Array(WINDOW_SIZE / 32);

  constructor(
    /** The highest count so far. */
    private highest: number,
  ) {}

  contains(count: number): boolean {
    return count <= this.highest && count > this.highest - WINDOW_SIZE;
  }

  /** Whether the count is not so far away that another window is worth it. */
  reaches(count: number): boolean {
    return count <= this.highest + WINDOW_SIZE && count > this.highest - 2 * WINDOW_SIZE;
  }

  isFirst(count: number): boolean {
    const bits = this.#bits;
    if (count > this.highest) {
      this.#clearUpTo(count);
      this.highest = count;
    } else if (!this.contains(count)) {
      return true; // before the window: unknown
    }
    const index = (count % WINDOW_SIZE) >>> 5;
    const bit = 1 << (count % 32);
    const word = bits[index] ?? 0;
    bits[index] = word | bit;
    return (word & bit) === 0;
  }

  /** Clears the bits of the counts above the highest up to this one: they still hold counts of a window before. */
  #clearUpTo(count: number): void {
    const bits = this.#bits;
    for (let next = this.highest + 1; next <= count; next += 1) {
      const index = (next % WINDOW_SIZE) >>> 5;
      bits[index] = (bits[index] ?? 0) & ~(1 << (next % 32));
    }
  }
}

/**
 * The count in an id of ours: `Number#toString(36)` of it, after the id of the client and a dot. Undefined for a foreign
 * id.
 */
function countOf(id: string): number | undefined {
  const start = id.charCodeAt(CLIENT_ID_LENGTH) === DOT ? CLIENT_ID_LENGTH + 1 : 0;
  const digits = id.length - start;
  if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && id.charCodeAt(start) === ZERO)) {
    return undefined;
  }
  let count = 0;
  for (let at = start; at < id.length; at += 1) {
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
