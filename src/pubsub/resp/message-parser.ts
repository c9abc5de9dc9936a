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

/** What {@link MessageParser} returns for what is not a channel message. */
const NOT_A_MESSAGE = 0;

/**
 * Reads channel messages in place: without an array for each, or buffers for the elements that are known. They are most
 * of what a subscriber receives.
 */
export class MessageParser {
  /** The range of the bulk string that was found last. */
  #start = 0;
  #end = 0;

  constructor(private readonly sink: MessageSink) {}

  /**
   * Passes the frame at `at` to the sink and returns its end. Where the buffer ends within a message, returns the length
   * that it needs at least, negated.
   */
  read(buffer: Buffer, at: number): number {
    const first = buffer[at];
    if (first !== ARRAY && first !== PUSH) {
      return NOT_A_MESSAGE;
    }
    if (isAt(buffer, at + 1, SHARDED)) {
      return this.#readAfter(buffer, at + 1 + SHARDED.length, 'smessage');
    }
    if (isAt(buffer, at + 1, CLASSIC)) {
      return this.#readAfter(buffer, at + 1 + CLASSIC.length, 'message');
    }
    const length = buffer.length - at - 1;
    return length < SHARDED.length && isCutMessage(buffer.subarray(at + 1))
      ? -(buffer.length + 1)
      : NOT_A_MESSAGE;
  }

  #readAfter(buffer: Buffer, at: number, type: MessageFrameType): number {
    const channelResult = this.#findBulk(buffer, at);
    if (channelResult <= 0) {
      return channelResult;
    }
    const channelStart = this.#start;
    const channelEnd = this.#end;
    const dataResult = this.#findBulk(buffer, channelResult);
    if (dataResult > 0) {
      this.sink(type, buffer, channelStart, channelEnd, this.#start, this.#end);
    }
    return dataResult;
  }

  /** Finds the bulk string at `at` and returns its end, with the line end after it; otherwise as {@link read}. */
  #findBulk(buffer: Buffer, at: number): number {
    let length = 0;
    let index = at + 1;
    for (const end = index + MAX_LENGTH_DIGITS; index < end; index += 1) {
      const digit = (buffer[index] ?? CR) - ZERO;
      if (digit < 0 || digit > 9) {
        break;
      }
      length = length * 10 + digit;
    }
    if (index >= buffer.length) {
      return at >= buffer.length || buffer[at] === BULK ? -(buffer.length + 1) : NOT_A_MESSAGE;
    }
    if (buffer[at] !== BULK || index === at + 1 || buffer[index] !== CR) {
      return NOT_A_MESSAGE;
    }
    this.#start = index + 2;
    this.#end = this.#start + length;
    const end = this.#end + 2;
    if (end > buffer.length) {
      return -end;
    }
    return buffer[this.#end] === CR ? end : NOT_A_MESSAGE;
  }
}

function isCutMessage(frame: Buffer): boolean {
  return [SHARDED, CLASSIC].some((head) => head.subarray(0, frame.length).equals(frame));
}
