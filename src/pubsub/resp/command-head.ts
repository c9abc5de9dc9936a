import type { Payload } from '../common/messages.js';

/**
 * A command up to its last argument, as it goes over the wire: text where that is ASCII, else the pieces. What is sent
 * often is encoded once.
 */
export type CommandHead = string | readonly (string | Uint8Array)[];

/** The head of a command that has one argument more than these. */
export function encodeHead(args: readonly Payload[]): CommandHead {
  const pieces: (string | Uint8Array)[] = [];
  let text = `*${String(args.length + 1)}\r\n`;
  for (const arg of args) {
    if (typeof arg === 'string') {
      text += `$${String(Buffer.byteLength(arg))}\r\n${arg}\r\n`;
    } else {
      pieces.push(`${text}$${String(arg.length)}\r\n`, arg);
      text = '\r\n';
    }
  }
  return pieces.length === 0 && isAscii(text) ? text : [...pieces, text];
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}
