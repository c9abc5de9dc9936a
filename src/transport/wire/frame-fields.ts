/**
 * Our own fields of a frame. They travel in one extra top-level key beside Nest's packet and are removed before the
 * packet reaches a deserializer: Nest 12 takes a reply with an unknown key for a bare payload. Unknown fields are
 * ignored, so that later versions can add some.
 *
 * @internal
 */
export interface WireFields {
  /** The channel on which the requester waits for the reply. */
  r?: string;
  /** Publish the reply with classic PUBLISH (Redis 6). */
  c?: 1;
  /** Headers. */
  h?: Readonly<Record<string, string>>;
  /** The id of a request that its requester has cancelled. */
  x?: string;
  /** The server has no message handler for the request. */
  n?: 1;
  /** A check that the requester still exists. Carries nothing else, and may arrive twice. */
  k?: 1;
  /** The packet is not an object, and is under `packet`. */
  w?: 1;
  /** The stamp of the engine, added as the frame is written; the last field, see `frame-trailer.ts`. */
  s?: string;
  /** The field of the packet that holds the bytes of a binary frame; `packet`: they are all of it. */
  bin?: BinaryField;
}

export type BinaryField = 'data' | 'response' | 'packet';

/** A decoded message: our fields, and the packet as a deserializer expects it. */
export interface Frame {
  readonly fields: WireFields;
  readonly packet: unknown;
}

/** Our key beside Nest's own. @internal */
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
