import { randomBytes } from 'node:crypto';
import { channelKey } from './channel-key.js';
import { Lane } from './lane.js';
import type { ChannelName } from './options.js';
import type { PublishCommand } from './publication.js';

/** How many lanes are remembered at least; a sequence that was forgotten starts anew. */
const GENERATION = 10_000;

/** The lanes of one publisher. Two generations of a bounded size: when the young one is full, the old is forgotten. */
export class LaneTable {
  readonly #publisher = randomBytes(6).toString('base64url');
  #young = new Map<string, Lane>();
  #old = new Map<string, Lane>();
  #full = GENERATION;
  #streams = 0;

  get(command: PublishCommand, channel: ChannelName, viaPatterns: boolean): Lane {
    const way = command === 'SPUBLISH' ? 's' : viaPatterns ? 'p' : 'c';
    const key = way + channelKey(channel);
    return this.#young.get(key) ?? this.#older(key) ?? this.#add(key, command, channel, viaPatterns);
  }

  /** The name of a new sequence: publisher and epoch. */
  newStream(): string {
    const epoch = this.#streams;
    this.#streams += 1;
    return `${this.#publisher}.${epoch.toString(36)}`;
  }

  #older(key: string): Lane | undefined {
    const lane = this.#old.get(key);
    if (lane !== undefined) {
      this.#remember(key, lane);
    }
    return lane;
  }

  #add(key: string, command: PublishCommand, channel: ChannelName, viaPatterns: boolean): Lane {
    const lane = new Lane(command, channel, viaPatterns, this.newStream());
    this.#remember(key, lane);
    return lane;
  }

  #remember(key: string, lane: Lane): void {
    if (this.#young.size >= this.#full) {
      // What is under way keeps its order, and so its lane.
      const busy = [...this.#old].filter(([, { inFlight, hold }]) => inFlight > 0 || hold !== undefined);
      this.#old = this.#young;
      this.#young = new Map(busy);
      this.#full = busy.length + GENERATION;
    }
    this.#young.set(key, lane);
  }
}
