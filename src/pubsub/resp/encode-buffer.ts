/** Large enough for the commands of most ticks, and small enough for malloc to take it from its heap. */
const BUFFER_BYTES = 65_536;

/** A UTF-16 unit takes three bytes at most in UTF-8. */
const MAX_BYTES_PER_CHAR = 3;

const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const ZERO = 0x30;

/**
 * Text as bytes, one after the other. Text is encoded where it is to stay, so that it is read once: its length, which
 * precedes it, is known only afterwards. Bytes that were taken are never written again: a socket may still hold them.
 */
export class EncodeBuffer {
  #buffer: Buffer = Buffer.alloc(0);
  /** The bytes from here were not taken yet. */
  #start = 0;
  #end = 0;

  constructor(
    /** Receives the bytes that precede those of a new buffer. */
    private readonly onFull: (bytes: Buffer) => void,
  ) {}

  get length(): number {
    return this.#end - this.#start;
  }

  appendAscii(text: string): void {
    this.#reserve(text.length);
    this.#end += this.#buffer.write(text, this.#end, 'latin1');
  }

  append(text: string): void {
    this.#reserve(roomFor(text));
    this.#end += this.#buffer.write(text, this.#end);
  }

  /** Appends the text as a bulk string: `$`, its length in bytes, and the text. */
  appendBulk(text: string): void {
    const expectedDigits = digitsOf(text.length);
    this.#reserve(1 + expectedDigits + 1 + 2 + roomFor(text) + 2);
    const buffer = this.#buffer;
    let at = this.#end + 1 + expectedDigits + 2;
    const length = buffer.write(text, at);
    const digits = digitsOf(length);
    if (digits !== expectedDigits) {
      at += digits - expectedDigits;
      buffer.copyWithin(at, at - digits + expectedDigits, at - digits + expectedDigits + length);
    }
    buffer[this.#end] = DOLLAR;
    for (let rest = length, digit = at - 3; digit > this.#end; digit -= 1, rest = Math.floor(rest / 10)) {
      buffer[digit] = ZERO + (rest % 10);
    }
    buffer[at - 2] = CR;
    buffer[at - 1] = LF;
    buffer[at + length] = CR;
    buffer[at + length + 1] = LF;
    this.#end = at + length + 2;
  }

  /** Returns the bytes since the last call. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) {
      return;
    }
    if (this.length > 0) {
      this.onFull(this.take());
    }
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, BUFFER_BYTES));
    this.#start = 0;
    this.#end = 0;
  }
}

/** Measures long text, where three times its length would be a waste. */
function roomFor(text: string): number {
  const most = text.length * MAX_BYTES_PER_CHAR;
  return most < BUFFER_BYTES ? most : Buffer.byteLength(text);
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) {
    digits += 1;
  }
  return digits;
}
