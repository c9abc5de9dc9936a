import { MessageParser, type MessageSink } from './message-parser.js';
import { InvalidReplyError, RedisReplyError, type Reply } from './reply.js';

const EMPTY = Buffer.alloc(0);

const CR = 0x0d;
const LF = 0x0a;
const MINUS = 0x2d;
const PUSH = 0x3e;

/** Returned inside the decoder when the buffer ends within an element. */
const INCOMPLETE = Symbol('incomplete');

/** Returned inside the decoder for attributes, which nobody has asked for. */
const DROPPED = Symbol('dropped');

/** Redis nests the replies to `COMMAND INFO` deepest, in about ten arrays. */
const MAX_DEPTH = 32;

/** The longest string that Redis takes (`proto-max-bulk-len`). */
const MAX_STRING_BYTES = 512 * 1_024 * 1_024;

/** The largest reply: all its strings, and the elements of all its arrays together (some 100 bytes of memory each). */
const MAX_REPLY_BYTES = 2 * MAX_STRING_BYTES;
const MAX_REPLY_ELEMENTS = 4_194_304;

/** Lines hold states, errors and numbers. */
const MAX_LINE_BYTES = 65_536;

/** More than any number that Redis writes. */
const MAX_INTEGER_DIGITS = 20;

/** An array of which only some elements have arrived. */
interface OpenArray {
  readonly items: Reply[];
  readonly length: number;
  readonly isDropped: boolean;
}

/**
 * Splits a byte stream into RESP2 and RESP3 replies.
 *
 * Each byte is parsed once: an array keeps the elements that have arrived, and a string waits until the length that it
 * needs is there, so that neither a long array nor a large payload costs more in many reads than in one. What a server
 * may claim is bounded, in depth and in size.
 */
export class RespDecoder {
  #buffer: Buffer = EMPTY;
  #offset = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** The length that the buffer needs before it is parsed again, in bytes. */
  #needed = 0;
  /** The arrays that the buffer before ended within, innermost first. */
  #open: OpenArray[] = [];
  /** Where the element begins that the innermost of them misses. */
  #openAt = 0;
  #isPush = false;
  #depth = 0;
  /** What the arrays of the current reply have announced, and the bytes of it that earlier buffers had. */
  #replyElements = 0;
  #replyBytes = 0;
  readonly #messages: MessageParser | undefined;

  constructor(
    /** `isPush`: a frame of RESP3 that answers no command. In RESP2 nothing tells it from a reply. */
    private readonly onReply: (reply: Reply, isPush: boolean) => void,
    /** Receives channel messages as byte ranges of the buffer, so that no array is created for each. */
    messages?: MessageSink,
  ) {
    this.#messages = messages && new MessageParser(messages);
  }

  /** @throws {@link InvalidReplyError} when the bytes are not RESP, or exceed a limit */
  write(chunk: Buffer): void {
    if (this.#buffer.length === 0) {
      this.#buffer = chunk;
    } else {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#buffer.length + this.#waitingBytes < this.#needed) {
        return;
      }
      this.#buffer = Buffer.concat([this.#buffer, ...this.#waiting]);
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.#parseAll();
  }

  #parseAll(): void {
    const messages = this.#messages;
    const buffer = this.#buffer;
    this.#offset = 0;
    this.#needed = 0;
    if (this.#open.length > 0 && !this.#resume()) {
      return;
    }
    let start = this.#offset;
    while (start < buffer.length) {
      if (messages !== undefined) {
        const end = messages.read(buffer, start);
        if (end > 0) {
          start = end;
          continue;
        }
        if (end < 0) {
          this.#keepFrom(start, -end); // the sink takes a message as a whole
          return;
        }
      }
      this.#offset = start;
      const reply = this.#parse();
      if (reply === INCOMPLETE) {
        this.#isPush = buffer[start] === PUSH;
        this.#replyBytes = 0;
        this.#suspend(start);
        return;
      }
      if (reply !== DROPPED) {
        this.onReply(reply, buffer[start] === PUSH);
      }
      start = this.#offset;
    }
    this.#buffer = EMPTY;
  }

  /** Keeps the rest of a reply for the next chunk: from the element on that is missing, or the reply itself. */
  #suspend(start: number): void {
    const keptFrom = this.#open.length > 0 ? this.#openAt : start;
    this.#replyBytes += keptFrom - start;
    if (this.#replyBytes > MAX_REPLY_BYTES) {
      throw new InvalidReplyError(`it is larger than ${String(MAX_REPLY_BYTES)} bytes`);
    }
    this.#keepFrom(keptFrom, this.#needed);
  }

  #keepFrom(start: number, needed: number): void {
    this.#buffer = this.#buffer.subarray(start);
    this.#needed = Math.max(0, needed - start);
  }

  /** Goes on within the arrays that the buffer before ended within. Returns whether the reply is complete now. */
  #resume(): boolean {
    const arrays = this.#open;
    this.#open = [];
    let element: Reply | typeof DROPPED = DROPPED;
    for (const [index, { items, length, isDropped }] of arrays.entries()) {
      if (element !== DROPPED) {
        items.push(element);
      }
      this.#depth = arrays.length - index;
      const read = this.#readElements(items, length, isDropped);
      if (read === INCOMPLETE) {
        this.#depth = 0;
        this.#open.push(...arrays.slice(index + 1));
        this.#suspend(0);
        return false;
      }
      element = read;
    }
    this.#depth = 0;
    if (element !== DROPPED) {
      this.onReply(element, this.#isPush);
    }
    return true;
  }

  #parse(): Reply | typeof INCOMPLETE | typeof DROPPED {
    if (this.#offset >= this.#buffer.length) {
      return INCOMPLETE;
    }
    const type = this.#buffer[this.#offset++];
    switch (type) {
      case 0x24: // $ bulk string
      case 0x3d: // = verbatim string
        return this.#parseBulk(type === 0x3d);
      case 0x3a: // : integer
        return this.#parseInteger();
      case 0x2a: // * array
      case 0x7e: // ~ set
      case PUSH: // > push
        return this.#parseArray(1, false);
      case 0x25: // % map
        return this.#parseArray(2, false);
      case 0x7c: // | attributes, which precede their reply
        return this.#parseArray(2, true);
      case 0x2b: // + simple string
      case 0x28: // ( big number
        return this.#parseLine();
      case 0x2d: // - error
        return this.#parseError();
      case 0x5f: // _ null
        return this.#skipLine(null);
      case 0x23: // # boolean
        return this.#parseBoolean();
      case 0x2c: // , double
        return this.#parseDouble();
      case 0x21: // ! bulk error
        return this.#parseBulkError();
      default:
        throw new InvalidReplyError(`type byte 0x${(type ?? 0).toString(16)}`);
    }
  }

  #parseLine(): Buffer | typeof INCOMPLETE {
    const end = this.#buffer.indexOf(CR, this.#offset);
    if ((end === -1 ? this.#buffer.length : end) - this.#offset > MAX_LINE_BYTES) {
      throw new InvalidReplyError(`a line is longer than ${String(MAX_LINE_BYTES)} bytes`);
    }
    if (end === -1 || end + 1 >= this.#buffer.length) {
      return INCOMPLETE;
    }
    const line = this.#buffer.subarray(this.#offset, end);
    this.#endLine(end);
    return line;
  }

  #endLine(end: number): void {
    if (this.#buffer[end + 1] !== LF) {
      throw new InvalidReplyError('a line does not end');
    }
    this.#offset = end + 2;
  }

  #skipLine<T>(value: T): T | typeof INCOMPLETE {
    return this.#parseLine() === INCOMPLETE ? INCOMPLETE : value;
  }

  #parseInteger(): number | typeof INCOMPLETE {
    const buffer = this.#buffer;
    let at = this.#offset;
    let negative = false;
    let value = 0;
    if (buffer[at] === MINUS) {
      negative = true;
      at += 1;
    }
    const first = at;
    for (; at < buffer.length; at += 1) {
      const byte = buffer[at] as number;
      if (byte === CR && at > first) {
        if (at + 1 >= buffer.length) {
          return INCOMPLETE;
        }
        this.#endLine(at);
        return negative ? -value : value;
      }
      if (byte < 0x30 || byte > 0x39 || at - first >= MAX_INTEGER_DIGITS) {
        throw new InvalidReplyError(`byte 0x${byte.toString(16)} in a number`);
      }
      value = value * 10 + (byte - 0x30);
    }
    return INCOMPLETE;
  }

  #parseBulk(verbatim: boolean): Buffer | null | typeof INCOMPLETE {
    const length = this.#parseInteger();
    if (length === INCOMPLETE) {
      return INCOMPLETE;
    }
    if (length < 0) {
      return null;
    }
    if (length > MAX_STRING_BYTES) {
      throw new InvalidReplyError(`a string of ${String(length)} bytes`);
    }
    const end = this.#offset + length;
    if (end + 2 > this.#buffer.length) {
      this.#needed = end + 2;
      return INCOMPLETE;
    }
    const bytes = this.#buffer.subarray(verbatim ? this.#offset + 4 : this.#offset, end);
    if (this.#buffer[end] !== CR) {
      throw new InvalidReplyError('a string is longer than its length');
    }
    this.#endLine(end);
    return bytes;
  }

  #parseArray(perItem: 1 | 2, isDropped: boolean): Reply | typeof INCOMPLETE | typeof DROPPED {
    const items = this.#parseInteger();
    if (items === INCOMPLETE) {
      return INCOMPLETE;
    }
    if (items < 0) {
      return null;
    }
    const length = items * perItem;
    this.#replyElements = this.#depth === 0 ? length : this.#replyElements + length;
    if (this.#replyElements > MAX_REPLY_ELEMENTS || this.#depth >= MAX_DEPTH) {
      throw new InvalidReplyError(
        `more than ${String(MAX_REPLY_ELEMENTS)} elements, or ${String(MAX_DEPTH)} nested arrays`,
      );
    }
    this.#depth += 1;
    const reply = this.#readElements([], length, isDropped);
    this.#depth -= 1;
    return reply;
  }

  #readElements(
    items: Reply[],
    length: number,
    isDropped: boolean,
  ): readonly Reply[] | typeof INCOMPLETE | typeof DROPPED {
    while (items.length < length) {
      const start = this.#offset;
      const element = this.#parse();
      if (element === INCOMPLETE) {
        if (this.#open.length === 0) {
          this.#openAt = start;
        }
        this.#open.push({ items, length, isDropped });
        return INCOMPLETE;
      }
      if (element !== DROPPED) {
        items.push(element);
      }
    }
    return isDropped ? DROPPED : items;
  }

  #parseError(): RedisReplyError | typeof INCOMPLETE {
    const line = this.#parseLine();
    return line === INCOMPLETE ? INCOMPLETE : new RedisReplyError(line.toString('utf8'));
  }

  #parseBulkError(): RedisReplyError | typeof INCOMPLETE {
    const text = this.#parseBulk(false);
    return text === INCOMPLETE ? INCOMPLETE : new RedisReplyError(text?.toString('utf8') ?? '');
  }

  #parseBoolean(): number | typeof INCOMPLETE {
    const line = this.#parseLine();
    return line === INCOMPLETE ? INCOMPLETE : line[0] === 0x74 ? 1 : 0;
  }

  #parseDouble(): number | typeof INCOMPLETE {
    const line = this.#parseLine();
    return line === INCOMPLETE ? INCOMPLETE : Number(line.toString('latin1'));
  }
}
