import { isAt } from '../../util/bytes.js';

/** Which of the two kinds of frames that name a channel and bring a message. */
export type MessageFrameType = 'message' | 'smessage';

/** Takes a message as it stands in the buffer that was read: from where to where its channel is, and its data. */
export type MessageSink = (
  type: MessageFrameType,
  buffer: Buffer,
  channelStart: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
) => void;

/** A frame up to its channel, after the byte that says whether it is an array (RESP2) or a push (RESP3). */
const SHARDED = Buffer.from('3\r\n$8\r\nsmessage\r\n');
const CLASSIC = Buffer.from('3\r\n$7\r\nmessage\r\n');

const ARRAY = 0x2a;
const PUSH = 0x3e;
const BULK = 0x24;
const CR = 0x0d;
const ZERO = 0x30;

/** Longer lengths are for the parser that checks everything. */
const MOST_DIGITS = 9;

/**
 * Reads messages to channels as they stand in the buffer, so that no array is made of each, and no bytes of what is
 * known. They are most of what a subscriber reads, and all of it that is worth a way of its own.
 */
export class MessageParser {
  /** Of the bulk string that was looked at last. */
  #start = 0;
  #end = 0;

  constructor(private readonly sink: MessageSink) {}

  /** Where the frame at `at` ends, if it is a message to a channel, and whole; else 0, and nothing is done. */
  read(buffer: Buffer, at: number): number {
    const first = buffer[at];
    if (first !== ARRAY && first !== PUSH) {
      return 0;
    }
    if (isAt(buffer, at + 1, SHARDED)) {
      return this.#readAfter(buffer, at + 1 + SHARDED.length, 'smessage');
    }
    return isAt(buffer, at + 1, CLASSIC) ? this.#readAfter(buffer, at + 1 + CLASSIC.length, 'message') : 0;
  }

  #readAfter(buffer: Buffer, at: number, type: MessageFrameType): number {
    if (!this.#findBulk(buffer, at)) {
      return 0;
    }
    const channelStart = this.#start;
    const channelEnd = this.#end;
    if (!this.#findBulk(buffer, channelEnd + 2)) {
      return 0;
    }
    const end = this.#end + 2;
    this.sink(type, buffer, channelStart, channelEnd, this.#start, this.#end);
    return end;
  }

  /** Whether a whole bulk string stands there. */
  #findBulk(buffer: Buffer, at: number): boolean {
    if (buffer[at] !== BULK) {
      return false;
    }
    let length = 0;
    let index = at + 1;
    for (const end = index + MOST_DIGITS; index < end; index += 1) {
      const digit = (buffer[index] ?? CR) - ZERO;
      if (digit < 0 || digit > 9) {
        break;
      }
      length = length * 10 + digit;
    }
    if (index === at + 1 || buffer[index] !== CR) {
      return false;
    }
    this.#start = index + 2;
    this.#end = this.#start + length;
    return this.#end + 2 <= buffer.length;
  }
}
