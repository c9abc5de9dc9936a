import { GenerationalCache } from '../../util/generational-cache.js';

/** How many ids back a second copy is known. */
const WINDOW = 8_192;

/** Of `Number#toString(36)`: so that it stays a safe integer. */
const MOST_DIGITS = 10;

/** How many ids of another form are remembered at least. */
const OTHERS = 256;

/** No client sends so many requests between two that one server gets: an id that is ahead by more is forged. */
const MAX_ID_GAP = 2 ** 20;

/**
 * Tells second copies of one asker's requests. Our clients count their requests, in base 36: a bit for each of the last
 * 8,192 will do. Ids of another form are remembered one by one, in two generations of a bounded size.
 *
 * @internal
 */
export class RequestIdWindow {
  #highest = -1;
  /** One bit an id, round and round; made with the first one. */
  #bits: Uint32Array | undefined;
  #others: GenerationalCache<true> | undefined;

  /** Whether the id comes for the first time; remembers it. */
  isFirst(id: string): boolean {
    const count = countOf(id);
    return count === undefined || this.#isForged(count) ? this.#isFirstOther(id) : this.#isFirstCount(count);
  }

  /** Where nothing is known yet, the first may be any. */
  #isForged(count: number): boolean {
    return this.#highest >= 0 && count - this.#highest > MAX_ID_GAP;
  }

  #isFirstCount(count: number): boolean {
    const bits = (this.#bits ??= new Uint32Array(WINDOW / 32));
    if (count > this.#highest) {
      this.#forget(bits, count);
      this.#highest = count;
    } else if (count <= this.#highest - WINDOW) {
      return true; // forgotten
    }
    const index = (count % WINDOW) >>> 5;
    const bit = 1 << (count % 32);
    const word = bits[index] ?? 0;
    bits[index] = word | bit;
    return (word & bit) === 0;
  }

  /** Makes room for the counts above the highest, up to this one: their bits are those of counts a window before. */
  #forget(bits: Uint32Array, count: number): void {
    if (count - this.#highest >= WINDOW) {
      bits.fill(0);
      return;
    }
    for (let next = this.#highest + 1; next <= count; next += 1) {
      const index = (next % WINDOW) >>> 5;
      bits[index] = (bits[index] ?? 0) & ~(1 << (next % 32));
    }
  }

  #isFirstOther(id: string): boolean {
    this.#others ??= new GenerationalCache<true>(OTHERS);
    if (this.#others.get(id) === true) {
      return false;
    }
    this.#others.add(id, true);
    return true;
  }
}

/** The number that `Number#toString(36)` made the id of; undefined: it is no such id. */
function countOf(id: string): number | undefined {
  if (id.length === 0 || id.length > MOST_DIGITS || (id.length > 1 && id.startsWith('0'))) {
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
