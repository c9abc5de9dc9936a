import { randomBytes } from 'node:crypto';
import { channelKey, type ChannelName } from '../common/channel-name.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { OutgoingChannel } from './outgoing-channel.js';
import type { PublishCommand } from '../common/publish-options.js';

/** Channels kept at least, for each way to publish; a channel that was dropped starts a new sequence. */
const CACHE_SIZE = 10_000;

/** The ways to publish to a channel. */
type Way = 'sharded' | 'classic' | 'patterns';

/**
 * The outgoing channels of one publisher. Those with messages under way are kept, because their order depends on it.
 *
 * One cache for each way to publish: a common one would need a compound key, built anew for each message.
 */
export class OutgoingChannels {
  readonly #publisher = randomBytes(6).toString('base64url');
  readonly #caches: Readonly<Record<Way, GenerationalCache<OutgoingChannel>>> = {
    sharded: newCache(),
    classic: newCache(),
    patterns: newCache(),
  };
  #streams = 0;

  get(command: PublishCommand, channel: ChannelName, viaPatterns: boolean): OutgoingChannel {
    const cache = this.#caches[command === 'SPUBLISH' ? 'sharded' : viaPatterns ? 'patterns' : 'classic'];
    const key = channelKey(channel);
    let outgoing = cache.get(key);
    if (outgoing === undefined) {
      outgoing = new OutgoingChannel(command, channel, viaPatterns, this.newStream());
      cache.add(key, outgoing);
    }
    return outgoing;
  }

  /** A unique name for a new sequence. */
  newStream(): string {
    const number = this.#streams;
    this.#streams += 1;
    return `${this.#publisher}.${number.toString(36)}`;
  }
}

function newCache(): GenerationalCache<OutgoingChannel> {
  return new GenerationalCache(CACHE_SIZE, ({ inFlight, queued }) => inFlight + queued > 0);
}
