import { isAt } from '../../util/bytes.js';

/** The frames that carry a message of a channel. Those of patterns have one element more. */
export type MessageFrameType = 'message' | 'smessage';

/** Receives a message as byte ranges of the buffer: its channel and its data. */
export type MessageSink = (
  type: MessageFrameType,
  buffer: Buffer,
  channelStart: number,
  channelEnd: number,
  dataStart: number,
  dataEnd: number,
) => void;

/** A frame up to its channel, after the byte that marks an array (RESP2) or a push (RESP3). */
const SHARDED = Buffer.from('3\r\n$8\r\nsmessage\r\n');
const CLASSIC = Buffer.from('3\r\n$7\r\nmessage\r\n');

const ARRAY = 0x2a;
const PUSH = 0x3e;
const BULK = 0x24;
const CR = 0x0d;
const ZERO = 0x30;

/** Longer lengths are left to the decoder, which checks everything. */
const MAX_LENGTH_DIGITS = 9;

/**
 * Reads channel messages in place: without an array for each, or buffers for the elements that are known. They are most
 * of what a subscriber receives.
 */
export class MessageParser {
  /** The range of the bulk string that was found last. */
  #start = 0;
  #end = 0;

  constructor(private readonly sink: MessageSink) {}

  /** Passes the frame at `at` to the sink and returns its end, or returns 0 unless it is a complete channel message. */
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

  /** Returns whether a complete bulk string starts at `at`. */
  #findBulk(buffer: Buffer, at: number): boolean {
    if (buffer[at] !== BULK) {
      return false;
    }
    let length = 0;
    let index = at + 1;
    for (const end = index + MAX_LENGTH_DIGITS; index < end; index += 1) {
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
