import { randomBytes } from 'node:crypto';
import { channelKey, findTaggedName, PROBE_MARK, slotOf, type ChannelKey } from '../common/channel-name.js';
import type { NodeKey } from '../common/node-address.js';
import type { PublishCommand } from '../common/publish-options.js';
import {
  PATTERN_SLOT,
  PATTERN_SLOT_TAG,
  SUBSCRIPTION_KINDS,
  type SubscriptionKind,
} from '../common/subscription-kind.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import { RedisReplyError } from '../resp/reply.js';
import type { SlotMap } from '../topology/slot-map.js';
import type { Topology } from '../topology/topology.js';

/** Finds a slot of any master that owns a few hundred; a master with fewer is checked by PING. */
const MAX_TAGS = 4_096;

/** The slot of the probe channel has left the node, which says nothing about the health of the node. */
export class ProbeSlotMovedError extends Error {
  constructor(node: NodeKey) {
    super(`the slot of the probe channel has left ${node}`);
  }
}

/** Whose connections to a node use a channel: those of all engines, of the engines with our prefix, or this one alone. */
export type ProbeChannelUse = 'of all' | 'of our prefix' | 'private';

export interface ProbeChannelDeps {
  readonly topology: Topology;
  /** The ACL may refuse channels without the prefix: the user is not the default one. */
  readonly restricted: boolean;
  /** Starts the name of the channel, for ACLs that allow channels by prefix. */
  prefix(): string;
  sharded(): boolean;
  /** Publishes an empty message through the node; resolves to the number of receivers. */
  publish(node: NodeKey, command: PublishCommand, channel: string): Promise<number>;
}

/**
 * A channel for probes of one subscriber connection, in a slot that its node owns; in {@link PATTERN_SLOT} if it owns
 * that, because Redis ends the subscription when the slot moves, which it does not do for patterns. When the slot moves,
 * the next probe gets another channel.
 */
export class ProbeChannel {
  #name: string | undefined;
  /** The view of the cluster in which no tag gives a slot of the node: the search is not repeated in it. */
  #searchedIn: SlotMap | undefined;
  readonly #start: string;

  constructor(
    private readonly node: NodeKey,
    private readonly connection: SubscriberConnection,
    private readonly deps: ProbeChannelDeps,
    readonly use: ProbeChannelUse,
  ) {
    const prefix = use === 'of all' ? '' : deps.prefix();
    const id = use === 'private' ? `${randomBytes(6).toString('base64url')}:` : '';
    this.#start = `${prefix}${PROBE_MARK}${id}{`;
  }

  /** The slot whose move ends the subscription; undefined without one, and for a classic channel. */
  get watchedSlot(): number | undefined {
    return this.#name === undefined || !this.deps.sharded() ? undefined : slotOf(this.#name);
  }

  /** Whether the channel is, or was before its slot moved, the one of this connection. */
  owns(channel: ChannelKey): boolean {
    return channel.startsWith(channelKey(this.#start));
  }

  /**
   * Subscribes on first use: a connection that always receives messages needs no probe. Resolves to the name; to undefined
   * where the node owns too few slots.
   */
  async subscribe(): Promise<string | undefined> {
    const { topology } = this.deps;
    if (this.#name !== undefined) {
      if (this.#isSuitable(this.#name)) {
        return this.#name;
      }
      this.#unsubscribe(this.#name, this.#isOwned(this.#name));
    }
    const name = this.#findName();
    if (name === undefined) {
      return undefined;
    }
    try {
      await this.connection.subscribe(this.#kind, [channelKey(name)], () => {
        this.#name = name;
      });
    } catch (error) {
      if (error instanceof RedisReplyError && error.kind === 'MOVED') {
        topology.applyMovedError(error, this.node);
      }
      throw error;
    }
    return name;
  }

  /** @throws {@link ProbeSlotMovedError} when nobody received it: the node that took it does not have our subscription */
  async publish(name: string): Promise<void> {
    const receivers = await this.#publish(name);
    if (receivers === 0) {
      this.#unsubscribe(name);
      throw new ProbeSlotMovedError(this.node);
    }
  }

  async #publish(name: string): Promise<number> {
    try {
      return await this.deps.publish(this.node, this.deps.sharded() ? 'SPUBLISH' : 'PUBLISH', name);
    } catch (error) {
      if (error instanceof RedisReplyError && error.kind === 'MOVED') {
        this.deps.topology.applyMovedError(error, this.node);
        return 0;
      }
      throw error;
    }
  }

  /** Redis has ended the subscription, because the slot has left the node. */
  onRevoked(channel: ChannelKey): void {
    if (this.#name !== undefined && channelKey(this.#name) === channel) {
      this.#name = undefined;
    }
  }

  /** Redis itself ends a subscription to a shard channel whose slot moves, but never one to a classic channel. */
  #unsubscribe(name: string, hasStayed = false): void {
    if (this.#name !== name) {
      return;
    }
    this.#name = undefined;
    if (this.#kind === SUBSCRIPTION_KINDS.channel || hasStayed) {
      this.connection.unsubscribe(this.#kind, [channelKey(name)]).catch(() => undefined);
    }
  }

  get #kind(): SubscriptionKind {
    return this.deps.sharded() ? SUBSCRIPTION_KINDS.shard : SUBSCRIPTION_KINDS.channel;
  }

  #findName(): string | undefined {
    const { slotMap } = this.deps.topology;
    if (slotMap === this.#searchedIn) {
      return undefined;
    }
    const nameOf = (tag: string): string => `${this.#start}${tag}}`;
    const atPatternSlot = nameOf(PATTERN_SLOT_TAG);
    const name = this.#isOwned(atPatternSlot)
      ? atPatternSlot
      : findTaggedName(nameOf, (tagged) => this.#isOwned(tagged), MAX_TAGS);
    this.#searchedIn = name === undefined ? slotMap : undefined;
    return name;
  }

  #isSuitable(name: string): boolean {
    const patternOwner = this.deps.topology.ownerOf(PATTERN_SLOT);
    return this.#isOwned(name) && (patternOwner !== this.node || slotOf(name) === PATTERN_SLOT);
  }

  #isOwned(name: string): boolean {
    return this.deps.topology.ownerOf(slotOf(name)) === this.node;
  }
}
