import { randomBytes } from 'node:crypto';
import { channelKey } from '../common/channel-name.js';
import { Generations } from '../../util/generational-cache.js';
import { Lane } from './outgoing-channel.js';
import type { ChannelName } from '../common/options.js';
import type { PublishCommand } from './publish-request.js';

/** How many lanes of each way are remembered at least; a sequence that was forgotten starts anew. */
const REMEMBERED = 10_000;

/** The ways to publish to a channel. */
type Way = 'sharded' | 'classic' | 'patterns';

/** The lanes of one publisher. What is under way keeps its order, and so its lane. */
export class LaneTable {
  readonly #publisher = randomBytes(6).toString('base64url');
  readonly #lanes: Readonly<Record<Way, Generations<Lane>>> = {
    sharded: newGenerations(),
    classic: newGenerations(),
    patterns: newGenerations(),
  };
  #streams = 0;

  get(command: PublishCommand, channel: ChannelName, viaPatterns: boolean): Lane {
    const lanes = this.#lanes[command === 'SPUBLISH' ? 'sharded' : viaPatterns ? 'patterns' : 'classic'];
    const key = channelKey(channel);
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(command, channel, viaPatterns, this.newStream());
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

function newGenerations(): Generations<Lane> {
  return new Generations(REMEMBERED, ({ inFlight, hold }) => inFlight > 0 || hold !== undefined);
}
