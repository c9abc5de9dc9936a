import { isAt } from '../../util/bytes.js';
import {
  isStampableText,
  MAX_STAMP_BYTES,
  PREFIX_CODEC,
  readStamp,
  type StampCodec,
  type SequencedPayload,
} from '../../pubsub/ordering/sequence-stamp.js';
import { isBinaryFrame } from './frame.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACE = 0x7b;
/** What follows a stamp, and what comes before it. */
const AFTER = Buffer.from('"}}');
const BEFORE = Buffer.from('"s":"');
/** How our key begins; what comes before it is a comma, or the beginning of the frame. */
const KEY = Buffer.from('"_cps":{');

/**
 * How frames carry the stamp of the engine: a JSON frame in the place that was left for it, its last field; a binary
 * frame in an envelope. Everything else goes without: replies to stock Nest clients, and what users publish by
 * themselves through `unwrap()`.
 *
 * To read it costs no parsing. Our key is the last one of the frame, and the stamp its last field, so that they are the
 * last bytes. A message of another program whose last bytes look like a stamp (`{"file":{"s":"download.tar.gz"}}`) has
 * no `"_cps":{` of ours before them: in JSON, these very bytes after a comma or a brace can be nothing but that key.
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
    // By the first byte: the last ones of a binary frame are the user's. An envelope may hold anything, for engines
    // without Nest use it too.
    return data[0] === BRACE ? openText(data) : PREFIX_CODEC.decode(data);
  },
};

function openText(data: Buffer): SequencedPayload | undefined {
  const end = data.length - AFTER.length;
  if (!isAt(data, end, AFTER)) {
    return undefined;
  }
  const start = startOfText(data, end);
  const field = start - BEFORE.length;
  return isAt(data, field, BEFORE) && isInOurKey(data, field) ? readStamp(data, start, end) : undefined;
}

/** Where the string that ends at `end` begins; of no use if it is longer than a stamp. */
function startOfText(data: Buffer, end: number): number {
  const first = Math.max(end - MAX_STAMP_BYTES, 0);
  let start = end;
  while (start > first && data[start - 1] !== QUOTE) {
    start -= 1;
  }
  return start;
}

/** Whether the field at `at` is one of the `_cps` key. It follows the key at once, or the other fields of ours. */
function isInOurKey(data: Buffer, at: number): boolean {
  const justBefore = at - KEY.length;
  const key = isAt(data, justBefore, KEY) ? justBefore : data.lastIndexOf(KEY, at);
  const before = data[key - 1];
  return before === COMMA || before === BRACE;
}
