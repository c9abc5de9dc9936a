import { randomBytes } from 'node:crypto';
import { GenerationalCache } from '../../util/generational-cache.js';
import { channelKey, slotOf, type ChannelName } from '../common/channel-name.js';
import type { NodeKey } from '../common/node-address.js';
import type { PublishCommand } from '../common/publish-options.js';
import { encodeHead, type CommandHead } from '../resp/command-writer.js';
import { PATTERN_SLOT } from '../common/subscription-kind.js';

/** How long a subscriber that has left is still expected: it may only have moved. */
const EXPECT_RETURN_FOR_MS = 500;

/** Channels kept at least, for each way to publish; a channel that was dropped starts a new sequence. */
const CACHE_SIZE = 10_000;

/** A channel counts as used for one to two of these periods. */
const RECENT_PERIOD_MS = 30_000;

/**
 * The messages that one `ClusterPubSub` publishes to one channel in one way: they keep their order, have one sequence, and
 * their counts show how many subscribers there are.
 */
export class OutgoingChannel {
  /** The messages go to the owner of this slot. */
  readonly slot: number;
  /** The command up to the message: the same each time. */
  readonly head: CommandHead;
  /** Number of its messages that wait for the reply of Redis. */
  inFlight = 0;
  /** The node to which the last message was written. */
  sentTo: NodeKey | undefined;
  /** Number of its messages that wait for subscribers to follow the slot. */
  queued = 0;
  /** The period in which it was last published to, see {@link OutgoingChannels.recentSlots}. */
  lastUsedIn = 0;
  /** When its subscribers had last followed the slot, by the monotonic clock, in ms. */
  settledAt = -Infinity;
  #count = -1;
  #countBeforeDrop = 0;
  #droppedAt = -Infinity;
  #nextNumber = 0;

  constructor(
    readonly command: PublishCommand,
    readonly channel: ChannelName,
    readonly viaPatterns: boolean,
    /** Unique name of the sequence: the publisher, and the number of the sequence. */
    private stream: string,
  ) {
    this.slot = viaPatterns ? PATTERN_SLOT : slotOf(channel);
    this.head = encodeHead([command, channel]);
  }

  /** The stamp of the next message. */
  nextStamp(): string {
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    return `${this.stream}.${number.toString(36)}`;
  }

  /** Starts a new sequence, because a number of the old one went to a message that was never published. */
  restart(stream: string): void {
    this.stream = stream;
    this.#nextNumber = 0;
  }

  /** True once a message was published and counted. */
  get counted(): boolean {
    return this.#count >= 0;
  }

  /** Records the last count. */
  note(count: number): void {
    if (count < this.#count) {
      const now = performance.now();
      // Several drops in a row count as one: the expected number is the one before the first.
      if (now - this.#droppedAt > EXPECT_RETURN_FOR_MS) {
        this.#countBeforeDrop = this.#count;
      }
      this.#droppedAt = now;
    }
    this.#count = count;
  }

  /** The number of subscribers to expect: as many as now, or as just before the last drop. */
  get expected(): number {
    if (this.#countBeforeDrop > this.#count) {
      if (performance.now() - this.#droppedAt <= EXPECT_RETURN_FOR_MS) {
        return this.#countBeforeDrop;
      }
      this.#countBeforeDrop = 0;
    }
    return Math.max(this.#count, 0);
  }

  /** Accepts the present count as the right one. */
  accept(): void {
    this.#countBeforeDrop = 0;
    this.#droppedAt = -Infinity;
    this.settledAt = performance.now();
  }
}

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
  /** Number of the current period. */
  #period = 0;
  #periodStart = performance.now();

  get(command: PublishCommand, channel: ChannelName, viaPatterns: boolean): OutgoingChannel {
    const cache = this.#caches[command === 'SPUBLISH' ? 'sharded' : viaPatterns ? 'patterns' : 'classic'];
    const key = channelKey(channel);
    let outgoing = cache.get(key);
    if (outgoing === undefined) {
      outgoing = new OutgoingChannel(command, channel, viaPatterns, this.newStream());
      cache.add(key, outgoing);
    }
    outgoing.lastUsedIn = this.#period;
    return outgoing;
  }

  /**
   * The slots of the messages published in this period and the one before. A call begins a new period if the current one
   * has lasted long enough, so that a message need not read the clock: who asks from time to time learns about the last
   * 30 to 60 s, who asks for the first time about all the time.
   */
  recentSlots(): number[] {
    const now = performance.now();
    if (now - this.#periodStart >= RECENT_PERIOD_MS) {
      this.#period += 1;
      this.#periodStart = now;
    }
    const slots = new Set<number>();
    for (const cache of Object.values(this.#caches)) {
      for (const { slot, lastUsedIn } of cache.values()) {
        if (lastUsedIn >= this.#period - 1) {
          slots.add(slot);
        }
      }
    }
    return [...slots];
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
