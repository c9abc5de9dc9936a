import { spells } from './bytes.js';
import { keyOfBytes, type ChannelKey } from './channel-key.js';

interface Name {
  readonly key: ChannelKey;
  /** A copy: a reader that keeps it does not keep all that was read together with it. */
  readonly bytes: Buffer;
}

const NONE: Name = { key: '' as ChannelKey, bytes: Buffer.alloc(0) };

/** The name of a channel as it stands in a buffer. Most messages come to the same channel as the one before. */
export class LastName {
  #last = NONE;

  at(buffer: Buffer, start: number, end: number): Name {
    // By the key: the bytes were handed out, and may have been changed.
    if (!spells(buffer, start, end, this.#last.key)) {
      const bytes = Buffer.from(buffer.subarray(start, end));
      this.#last = { key: keyOfBytes(bytes), bytes };
    }
    return this.#last;
  }
}
