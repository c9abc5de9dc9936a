import { spells } from '../../util/bytes.js';
import { keyOfBytes, type ChannelKey } from '../common/channel-name.js';

/** The name of a channel as it stands in a buffer. Most messages come to the same channel as the one before. */
export class LastName {
  #last = '' as ChannelKey;

  at(buffer: Buffer, start: number, end: number): ChannelKey {
    if (!spells(buffer, start, end, this.#last)) {
      this.#last = keyOfBytes(buffer.subarray(start, end));
    }
    return this.#last;
  }
}
