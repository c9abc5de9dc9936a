import { randomBytes } from 'node:crypto';
import { channelKey, type ChannelName } from '../common/channel-name.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { OutgoingChannel } from './outgoing-channel.js';
import type { PublishCommand } from '../common/publish-options.js';

/** How many lanes of each way are remembered at least; a sequence that was forgotten starts anew. */
const REMEMBERED = 10_000;

/** The ways to publish to a channel. */
type Way = 'sharded' | 'classic' | 'patterns';

/** The lanes of one publisher. What is under way keeps its order, and so its lane. */
export class OutgoingChannels {
  readonly #publisher = randomBytes(6).toString('base64url');
  readonly #lanes: Readonly<Record<Way, GenerationalCache<OutgoingChannel>>> = {
    sharded: newGenerations(),
    classic: newGenerations(),
    patterns: newGenerations(),
  };
  #streams = 0;

  get(command: PublishCommand, channel: ChannelName, viaPatterns: boolean): OutgoingChannel {
    const lanes = this.#lanes[command === 'SPUBLISH' ? 'sharded' : viaPatterns ? 'patterns' : 'classic'];
    const key = channelKey(channel);
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = new OutgoingChannel(command, channel, viaPatterns, this.newStream());
      lanes.add(key, lane);
    }
    return lane;
  }

  /** The name of a new sequence: publisher and epoch. */
  newStream(): string {
    const epoch = this.#streams;
    this.#streams += 1;
    return `${this.#publisher}.${epoch.toString(36)}`;
  }
}

function newGenerations(): GenerationalCache<OutgoingChannel> {
  return new GenerationalCache(REMEMBERED, ({ inFlight, queued }) => inFlight + queued > 0);
}
