/** Returns whether the buffer contains `bytes` at `at`. For a few bytes, faster than a view and `equals`. */
export function isAt(buffer: Buffer, at: number, bytes: Buffer): boolean {
  if (at < 0) {
    return false;
  }
  for (let index = 0; index < bytes.length; index += 1) {
    if (buffer[at + index] !== bytes[index]) {
      return false;
    }
  }
  return true;
}

/** Returns whether the bytes from `start` to `end` are the characters of `text`, one byte each. */
export function spells(buffer: Buffer, start: number, end: number, text: string): boolean {
  if (text.length !== end - start) {
    return false;
  }
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== buffer[start + index]) {
      return false;
    }
  }
  return true;
}
