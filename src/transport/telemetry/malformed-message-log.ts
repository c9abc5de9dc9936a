import type { ClusterPubSubClient } from '../client/client.js';
import { TRANSPORT_DIAGNOSTICS } from './diagnostics-channels.js';
import type { ClusterPubSubServer } from '../server/server.js';

const { malformed } = TRANSPORT_DIAGNOSTICS;

/** Wildcards bring channels without limit; beyond so many, malformed messages are only counted. */
const CHANNELS_REMEMBERED = 1000;

/** A sender may name a channel as it likes, with line breaks and at any length. */
const NAME_SHOWN = 200;

/**
 * Counts messages that could not be read, and tells of each channel once: with its name and the size of the message,
 * never with its content.
 *
 * @internal
 */
export class MalformedMessageLog {
  readonly #channels = new Set<string>();
  #count = 0;

  constructor(
    private readonly source: ClusterPubSubServer | ClusterPubSubClient,
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
    const name = JSON.stringify(channel.slice(0, NAME_SHOWN));
    if (this.#channels.has(name) || this.#channels.size >= CHANNELS_REMEMBERED) {
      return;
    }
    this.#channels.add(name);
    this.write(
      `Dropped a malformed message of ${String(size)} bytes on ${name}. More of them on this channel are ` +
        `counted, not logged.`,
    );
  }
}
