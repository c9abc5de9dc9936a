import { MessageParser, type MessageSink } from './message-parser.js';
import { RedisReplyError, type Reply } from './reply.js';

const CR = 0x0d;

/** Returned inside the decoder when the buffer ends within a reply. */
const INCOMPLETE = Symbol('incomplete');

/**
 * Splits a byte stream into RESP2 and RESP3 replies.
 *
 * Push frames (RESP3 `>`) and plain replies are returned alike: on a subscriber connection the first element identifies
 * the frame in both protocols. An incomplete reply waits, and the length that it needs is remembered, so that a large
 * payload is neither concatenated nor parsed again with each chunk.
 */
export class RespDecoder {
  #buffer: Buffer = Buffer.alloc(0);
  #offset = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** The length that the buffer needs before it is parsed again, in bytes. */
  #needed = 0;
  readonly #messages: MessageParser | undefined;

  constructor(
    private readonly onReply: (reply: Reply) => void,
    /** Receives channel messages as byte ranges of the buffer, so that no array is created for each. */
    messages?: MessageSink,
  ) {
    this.#messages = messages && new MessageParser(messages);
  }

  /** Throws when the bytes are not RESP; the connection cannot be used any more. */
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
    this.#offset = 0;
    let start = 0;
    this.#needed = 0;
    while (start < this.#buffer.length) {
      const end = this.#messages?.read(this.#buffer, start) ?? 0;
      if (end > 0) {
        start = end;
        this.#offset = end;
        continue;
      }
      const reply = this.#parse();
      if (reply === INCOMPLETE) {
        this.#buffer = this.#buffer.subarray(start);
        this.#needed = Math.max(0, this.#needed - start);
        return;
      }
      start = this.#offset;
      this.onReply(reply);
    }
    this.#buffer = Buffer.alloc(0);
  }

  #parse(): Reply | typeof INCOMPLETE {
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
      case 0x3e: // > push
        return this.#parseArray(1);
      case 0x25: // % map
        return this.#parseArray(2);
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
      case 0x7c: // | attributes, which precede their reply
        return this.#parseArray(2) === INCOMPLETE ? INCOMPLETE : this.#parse();
      default:
        throw new Error(`Not a RESP reply: type byte 0x${(type ?? 0).toString(16)}`);
    }
  }

  #parseLine(): Buffer | typeof INCOMPLETE {
    const end = this.#buffer.indexOf(CR, this.#offset);
    if (end === -1 || end + 1 >= this.#buffer.length) {
      return INCOMPLETE;
    }
    const line = this.#buffer.subarray(this.#offset, end);
    this.#offset = end + 2;
    return line;
  }

  #skipLine<T>(value: T): T | typeof INCOMPLETE {
    return this.#parseLine() === INCOMPLETE ? INCOMPLETE : value;
  }

  #parseInteger(): number | typeof INCOMPLETE {
    const buffer = this.#buffer;
    let at = this.#offset;
    let negative = false;
    let value = 0;
    if (buffer[at] === 0x2d) {
      negative = true;
      at += 1;
    }
    for (; at < buffer.length; at += 1) {
      const byte = buffer[at] as number;
      if (byte === CR) {
        if (at + 1 >= buffer.length) {
          return INCOMPLETE;
        }
        this.#offset = at + 2;
        return negative ? -value : value;
      }
      if (byte < 0x30 || byte > 0x39) {
        throw new Error(`Not a RESP reply: byte 0x${byte.toString(16)} in a number`);
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
    const end = this.#offset + length;
    if (end + 2 > this.#buffer.length) {
      this.#needed = end + 2;
      return INCOMPLETE;
    }
    const bytes = this.#buffer.subarray(verbatim ? this.#offset + 4 : this.#offset, end);
    this.#offset = end + 2;
    return bytes;
  }

  #parseArray(perItem: 1 | 2): Reply[] | null | typeof INCOMPLETE {
    const length = this.#parseInteger();
    if (length === INCOMPLETE) {
      return INCOMPLETE;
    }
    if (length < 0) {
      return null;
    }
    const items: Reply[] = [];
    for (let index = 0; index < length * perItem; index += 1) {
      const item = this.#parse();
      if (item === INCOMPLETE) {
        return INCOMPLETE;
      }
      items.push(item);
    }
    return items;
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
