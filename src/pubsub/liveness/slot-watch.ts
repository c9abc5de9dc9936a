import { bytesOfKey, channelKey, PROBE_MARK, slotOf, type ChannelKey } from '../common/channel-name.js';
import type { NodeKey } from '../common/node-address.js';
import { SUBSCRIPTION_KINDS } from '../common/subscription-kind.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import { RedisReplyError } from '../resp/reply.js';
import type { Topology } from '../topology/topology.js';

/** For more slots, a query of the topology each second costs less than the subscriptions that make it needless. */
export const MAX_WATCHED_SLOTS = 64;

/** A slot that nobody has asked about for this long makes room for another one, in ms. */
const FORGOTTEN_AFTER_MS = 30_000;

export interface SlotWatchDeps {
  readonly topology: Topology;
  /** Starts the names of the channels, for ACLs that allow channels by prefix. */
  prefix(): string;
  sharded(): boolean;
}

interface WatchedSlot {
  readonly name: ChannelKey;
  confirmed: boolean;
  lastAsked: number;
}

/**
 * Notices on one subscriber connection that a slot leaves the node.
 *
 * Redis ends subscriptions to shard channels when their slot leaves the node, but never those to classic channels. So the
 * slot of a classic channel gets a shard channel of ours, to which nobody publishes; its end is the sign.
 */
export class SlotWatch {
  readonly #slots = new Map<number, WatchedSlot>();
  /** An ACL forbids the channels. */
  #refused = false;

  constructor(
    private readonly node: NodeKey,
    private readonly connection: SubscriberConnection,
    private readonly deps: SlotWatchDeps,
  ) {}

  /** Whether a move of the channel's slot gives a sign; where not yet, and where it can, it will soon. */
  watches(channel: string, slot: number): boolean {
    const watched = this.#slots.get(slot);
    if (watched === undefined) {
      this.#watch(channel, slot);
      return false;
    }
    watched.lastAsked = performance.now();
    return watched.confirmed;
  }

  /** Whether the channel is one of those that show where a slot is. */
  owns(channel: ChannelKey): boolean {
    return channel.startsWith(channelKey(this.#start));
  }

  /** Redis has ended the subscription: the slot has left the node. */
  onRevoked(channel: ChannelKey): void {
    this.#forget(slotOf(bytesOfKey(channel)), channel);
    void this.deps.topology.checkFrom(this.node);
  }

  #watch(channel: string, slot: number): void {
    const name = `${this.#start}${tagOf(channel)}}`;
    const isPossible = !this.#refused && this.deps.sharded() && slotOf(name) === slot;
    if (!isPossible || this.deps.topology.ownerOf(slot) !== this.node || !this.#hasRoom()) {
      return;
    }
    const watched = { name: channelKey(name), confirmed: false, lastAsked: performance.now() };
    this.#slots.set(slot, watched);
    this.connection
      .subscribe(SUBSCRIPTION_KINDS.shard, [watched.name], () => {
        watched.confirmed = true;
      })
      .catch((error: unknown) => {
        this.#forget(slot, watched.name);
        if (error instanceof RedisReplyError) {
          this.#notWatched(error);
        }
      });
  }

  #notWatched(error: RedisReplyError): void {
    this.#refused ||= error.kind === 'NOPERM';
    if (error.kind === 'MOVED') {
      this.deps.topology.applyMovedError(error, this.node);
    }
  }

  #hasRoom(): boolean {
    if (this.#slots.size < MAX_WATCHED_SLOTS) {
      return true;
    }
    const forgotten = performance.now() - FORGOTTEN_AFTER_MS;
    for (const [slot, { name, lastAsked }] of this.#slots) {
      if (lastAsked < forgotten) {
        this.#slots.delete(slot);
        this.connection.unsubscribe(SUBSCRIPTION_KINDS.shard, [name]).catch(() => undefined);
      }
    }
    return this.#slots.size < MAX_WATCHED_SLOTS;
  }

  #forget(slot: number, name: ChannelKey): void {
    if (this.#slots.get(slot)?.name === name) {
      this.#slots.delete(slot);
    }
  }

  get #start(): string {
    return `${this.deps.prefix()}${PROBE_MARK}slot:{`;
  }
}

/** The part of a name that decides its slot. */
function tagOf(channel: string): string {
  return /\{([^}]+)\}/.exec(channel)?.[1] ?? channel;
}
