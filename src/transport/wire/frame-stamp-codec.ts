import {
  isStampableText,
  PREFIX_CODEC,
  readStamp,
  type StampCodec,
} from '../../pubsub/ordering/sequence-stamp.js';
import { isBinaryFrame } from './frame.js';
import { locateTrailer } from './frame-trailer.js';

const BRACE = 0x7b;

/**
 * How frames carry the stamp of the engine: a JSON frame as the last field of its trailer, a binary frame in an
 * envelope. Everything else has none: replies to stock Nest clients, and what users publish through `unwrap()`.
 *
 * @internal
 */
export const FRAME_STAMP_CODEC: StampCodec = {
  supports: (payload) => isStampableText(payload) || (typeof payload !== 'string' && isBinaryFrame(payload)),

  encode(payload, stamp) {
    if (isStampableText(payload)) {
      return payload.withStamp(stamp);
    }
    return typeof payload !== 'string' && isBinaryFrame(payload)
      ? PREFIX_CODEC.encode(payload, stamp)
      : payload;
  },

  decode(data) {
    // Decided by the first byte, because the last bytes of a binary frame are the user's. An envelope may hold
    // anything: engines without Nest use it too.
    if (data[0] !== BRACE) {
      return PREFIX_CODEC.decode(data);
    }
    const trailer = locateTrailer(data);
    return trailer && readStamp(data, trailer.stampStart, trailer.stampEnd);
  },
};
