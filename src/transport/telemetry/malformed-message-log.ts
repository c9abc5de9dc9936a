import { TRANSPORT_DIAGNOSTICS } from './diagnostics-channels.js';

const { malformed } = TRANSPORT_DIAGNOSTICS;

/** Wildcards match any number of channels; beyond this many, malformed messages are only counted. */
const MAX_REMEMBERED_CHANNELS = 1_000;

/** Senders choose channel names, which may have line breaks and any length. */
const MAX_LOGGED_NAME_LENGTH = 200;

/**
 * Counts messages that cannot be decoded, and logs the first on each channel: its channel and size, never its content.
 *
 * @internal
 */
export class MalformedMessageLog {
  readonly #channels = new Set<string>();
  #count = 0;

  constructor(
    private readonly source: object,
    private readonly write: (line: string) => void,
  ) {}

  get count(): number {
    return this.#count;
  }

  report(channel: string, size: number): void {
    this.#count++;
    if (malformed.hasSubscribers) {
      malformed.publish({ source: this.source, channel, size });
    }
    const name = JSON.stringify(channel.slice(0, MAX_LOGGED_NAME_LENGTH));
    if (this.#channels.has(name) || this.#channels.size >= MAX_REMEMBERED_CHANNELS) {
      return;
    }
    this.#channels.add(name);
    this.write(
      `Dropped a malformed message of ${String(size)} bytes on ${name}. Further ones on this channel are counted, ` +
        'not logged.',
    );
  }
}
