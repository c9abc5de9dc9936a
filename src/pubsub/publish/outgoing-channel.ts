import { slotOf, type ChannelName } from '../common/channel-name.js';
import type { PublishCommand } from '../common/publish-options.js';
import { encodeHead, type CommandHead } from '../resp/command-writer.js';
import { PATTERN_SLOT } from '../common/subscription-kind.js';

/** How long a subscriber that has gone is still reckoned with: it may only have moved. In ms. */
const REMEMBERED = 500;

/**
 * All that one `ClusterPubSub` publishes to one channel in one way: messages of a lane keep their order, carry one
 * sequence, and tell how many subscribers there are.
 */
export class OutgoingChannel {
  /** Its owner takes the messages. */
  readonly slot: number;
  /** Its command up to the message, which is the same each time. */
  readonly head: CommandHead;
  /** How many of its messages wait for the answer of Redis. */
  inFlight = 0;
  /** How many of its messages wait for subscribers to follow a slot. */
  queued = 0;
  /** When its subscribers were last seen to have followed, by the monotonic clock, in ms. */
  settledAt = -Infinity;
  #count = -1;
  #countBefore = 0;
  #fewerSince = -Infinity;
  #nextNumber = 0;

  constructor(
    readonly command: PublishCommand,
    readonly channel: ChannelName,
    readonly viaPatterns: boolean,
    /** What tells this sequence from all others: the publisher, and which of its sequences this is. */
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

  /** Starts a new sequence: a number of the old one was given to a message that Redis never took. */
  restart(stream: string): void {
    this.stream = stream;
    this.#nextNumber = 0;
  }

  /** Whether anything was published here, and counted, before. */
  get counted(): boolean {
    return this.#count >= 0;
  }

  /** Notes the last count. */
  note(count: number): void {
    if (count < this.#count) {
      const now = performance.now();
      // Several drops in a row are one: the count to wait for is the one before the first.
      if (now - this.#fewerSince > REMEMBERED) {
        this.#countBefore = this.#count;
      }
      this.#fewerSince = now;
    }
    this.#count = count;
  }

  /** How many subscribers there should be: as many as now, or as just before the last drop. */
  get expected(): number {
    if (this.#countBefore > this.#count) {
      if (performance.now() - this.#fewerSince <= REMEMBERED) {
        return this.#countBefore;
      }
      this.#countBefore = 0;
    }
    return Math.max(this.#count, 0);
  }

  /** Takes the present count for the right one. */
  accept(): void {
    this.#countBefore = 0;
    this.#fewerSince = -Infinity;
    this.settledAt = performance.now();
  }
}
