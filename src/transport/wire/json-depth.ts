/** `JSON.parse` takes any depth, but what handlers, pipes and `JSON.stringify` do with the result is recursive. */
const MAX_DEPTH = 1_000;

/** In bytes: each level takes two. @internal */
export const LONGEST_SHALLOW_JSON = 2 * MAX_DEPTH;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
/** Turns a bracket into a brace, and no other character of JSON. */
const BRACKET_TO_BRACE = 0x20;

/**
 * Whether JSON is nested too deeply.
 *
 * @internal
 */
export function isTooDeep(data: Buffer, start: number, end: number): boolean {
  let [depth, highest] = [0, 0];
  for (let at = start; at < end; at += 1) {
    const character = (data[at] as number) | BRACKET_TO_BRACE;
    if (character === OPENING_BRACE) {
      depth += 1;
      highest = depth > highest ? depth : highest;
    } else if (character === CLOSING_BRACE) {
      depth -= 1;
    }
  }
  // Brackets in strings count too, which is rare: then the strings are left out.
  return highest > MAX_DEPTH && depthWithoutStrings(data, start, end) > MAX_DEPTH;
}

function depthWithoutStrings(data: Buffer, start: number, end: number): number {
  let [depth, highest, isString] = [0, 0, false];
  for (let at = start; at < end; at += 1) {
    const character = data[at] as number;
    if (character === QUOTE) {
      isString = !isString;
    } else if (isString) {
      at += character === BACKSLASH ? 1 : 0;
    } else if ((character | BRACKET_TO_BRACE) === OPENING_BRACE) {
      highest = Math.max(highest, (depth += 1));
    } else if ((character | BRACKET_TO_BRACE) === CLOSING_BRACE) {
      depth -= 1;
    }
  }
  return highest;
}
