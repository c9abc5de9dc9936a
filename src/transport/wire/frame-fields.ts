/**
 * Our own fields of a frame. They travel in one extra top-level key beside Nest's packet and are taken off before the
 * packet meets a deserializer: Nest 12 takes a reply with an unknown key for a bare payload. Unknown fields are
 * ignored, so that later versions may add some.
 *
 * @internal
 */
export interface WireFields {
  /** The channel that waits for the reply. */
  r?: string;
  /** The reply goes out by classic PUBLISH (Redis 6). */
  c?: 1;
  /** Headers. */
  h?: Readonly<Record<string, string>>;
  /** The asker left the request with this id. */
  x?: string;
  /** "There is no message handler here." */
  n?: 1;
  /** "Are you still there?" Says nothing else, and may arrive twice. */
  k?: 1;
  /** The packet was not an object, and sits under `packet`. */
  w?: 1;
  /** The stamp of the engine, put in as the frame goes out; the last field, see `frame-stamp.ts`. */
  s?: string;
  /** Which field of the packet the bytes after the head of a binary frame are; `packet`: all of it. */
  bin?: BinaryField;
}

export type BinaryField = 'data' | 'response' | 'packet';

/** What arrived: our fields, and the packet as a deserializer shall see it. */
export interface Frame {
  readonly fields: WireFields;
  readonly packet: unknown;
}

/** The key beside Nest's own. @internal */
export const FIELDS_KEY = '_cps';

/** @internal */
export const NO_FIELDS: WireFields = Object.freeze({});

/** @internal */
export function isWireFields(value: unknown): value is WireFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const { r, x, h, bin } = value as Record<string, unknown>;
  return (
    (r === undefined || typeof r === 'string') &&
    (x === undefined || typeof x === 'string') &&
    (h === undefined || isHeaders(h)) &&
    (bin === undefined || bin === 'data' || bin === 'response' || bin === 'packet')
  );
}

function isHeaders(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((entry) => typeof entry === 'string')
  );
}
