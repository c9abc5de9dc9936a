/** Wildcards bring channels without limit; beyond so many, malformed messages are only counted. */
const CHANNELS_REMEMBERED = 1000;

/**
 * Counts messages that could not be read, and tells of each channel once: with its name and the size of the message,
 * never with its content.
 *
 * @internal
 */
export class MalformedLog {
  readonly #channels = new Set<string>();
  #count = 0;

  constructor(private readonly write: (line: string) => void) {}

  get count(): number {
    return this.#count;
  }

  report(channel: string, size: number): void {
    this.#count++;
    if (this.#channels.has(channel) || this.#channels.size >= CHANNELS_REMEMBERED) {
      return;
    }
    this.#channels.add(channel);
    this.write(
      `Dropped a malformed message of ${String(size)} bytes on "${channel}". More of them on this channel are ` +
        `counted, not logged.`,
    );
  }
}
