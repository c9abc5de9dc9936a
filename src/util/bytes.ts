/** Whether these bytes stand there. Faster than a view and `equals`, for as few as are looked for here. */
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

/** Whether the bytes from `start` to `end` are the characters of this text, one byte each. */
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
