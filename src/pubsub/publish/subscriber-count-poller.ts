import { backoffDelay, pause } from '../../util/backoff.js';
import { settledWithin } from '../../util/promises.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnection } from '../connection/command-connection.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { numsub, type NumsubCommand } from '../connection/pubsub-commands.js';
import { RedisReplyError } from '../resp/reply.js';
import type { Topology } from '../topology/topology.js';
import type { OutgoingChannel } from './outgoing-channel.js';

/** How long one round waits for the counts of a node before the next round queries again. */
const COUNT_REPLY_TIMEOUT_MS = 100;

/** Why and how long the messages of a channel are paused. Times are of the monotonic clock, in ms. */
export interface ChannelPause {
  /**
   * - `verifying`: the last message reached fewer subscribers than before; the node has to confirm that it owns the slot
   * - `following`: the slot has moved; subscribers are on their way to the new owner
   */
  state: 'verifying' | 'following';
  /** Number of subscribers to wait for. */
  expected: number;
  /**
   * Whether messages that went to the former owner may still be on the cluster bus: `due` until a marker is sent after
   * them, then the promise of its return.
   */
  fence: Promise<void> | 'due' | 'passed';
  /** When the messages go out whatever the count. */
  deadline: number;
}

interface SubscriberCountPollerDeps {
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  readonly paused: ReadonlyMap<OutgoingChannel, ChannelPause>;
  readonly stop: AbortSignal;
  /** Resolves when nothing that was sent to the former owners of these channels is on the cluster bus any more. */
  readonly passBus: (channels: readonly OutgoingChannel[]) => Promise<void>;
  readonly release: (channel: OutgoingChannel) => void;
}

/** Queries the new owners of paused channels for subscriber counts, and releases each channel that is complete or overdue. */
export class SubscriberCountPoller {
  #running = false;
  /** Nodes whose ACL forbids PUBSUB: their channels are released without a count. */
  readonly #forbidden = new Set<NodeKey>();

  constructor(private readonly deps: SubscriberCountPollerDeps) {}

  /** Polls until no channel is paused. */
  start(): void {
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
  }

  async #run(): Promise<void> {
    const { paused, stop } = this.deps;
    await Promise.resolve(); // so that one query covers all channels that one event pauses
    for (let round = 0; paused.size > 0 && !stop.aborted; round += 1) {
      await this.#poll();
      this.#releaseOverdue();
      if (paused.size > 0) {
        await pause(backoffDelay(round, 2, 16), stop);
      }
    }
    this.#running = false;
  }

  async #poll(): Promise<void> {
    const replies = [...this.#takeDue()].map(([node, channels]) => this.#query(node, channels));
    if (replies.length > 0) {
      await settledWithin(COUNT_REPLY_TIMEOUT_MS, Promise.all(replies));
    }
  }

  /** The channels to query for now, by node; those that need no count are released instead. */
  #takeDue(): Map<NodeKey, OutgoingChannel[]> {
    const { topology, paused, release } = this.deps;
    const due = new Map<NodeKey, OutgoingChannel[]>();
    const unfenced: OutgoingChannel[] = [];
    for (const [channel, waiting] of [...paused]) {
      const node = topology.ownerOf(channel.slot);
      if (node === undefined || waiting.state !== 'following' || channel.inFlight > 0) {
        continue;
      }
      if (waiting.fence === 'due') {
        unfenced.push(channel);
      } else if (waiting.fence !== 'passed') {
        continue;
      } else if (waiting.expected === 0 || this.#forbidden.has(node)) {
        release(channel);
      } else {
        const channels = due.get(node) ?? [];
        channels.push(channel);
        due.set(node, channels);
      }
    }
    this.#fence(unfenced);
    return due;
  }

  /** One marker for all channels whose last messages went to the same node. */
  #fence(channels: readonly OutgoingChannel[]): void {
    const bySender = new Map<NodeKey | undefined, OutgoingChannel[]>();
    for (const channel of channels) {
      const group = bySender.get(channel.sentTo) ?? [];
      group.push(channel);
      bySender.set(channel.sentTo, group);
    }
    for (const group of bySender.values()) {
      const pauses = group.map((channel) => this.deps.paused.get(channel));
      const fence = this.deps.passBus(group).then(() => {
        for (const waiting of pauses) {
          if (waiting?.fence === fence) {
            waiting.fence = 'passed'; // else the slot has moved once more
          }
        }
      });
      for (const waiting of pauses) {
        if (waiting !== undefined) {
          waiting.fence = fence;
        }
      }
    }
  }

  async #query(node: NodeKey, channels: readonly OutgoingChannel[]): Promise<void> {
    const sharded = channels.filter(({ command }) => command === 'SPUBLISH');
    const classic = channels.filter(({ command }) => command === 'PUBLISH');
    try {
      const connection = await this.deps.connections.connect(node);
      await Promise.all([
        this.#compare(connection, 'SHARDNUMSUB', sharded),
        this.#compare(connection, 'NUMSUB', classic),
      ]);
    } catch (error) {
      if (error instanceof RedisReplyError && error.kind === 'NOPERM') {
        this.#forbidden.add(node);
      } // else the next round queries again
    }
  }

  async #compare(
    connection: CommandConnection,
    command: NumsubCommand,
    channels: readonly OutgoingChannel[],
  ): Promise<void> {
    const names = channels.map(({ channel }) => channel);
    const counts = await numsub(connection, command, names);
    channels.forEach((channel, index) => {
      const waiting = this.deps.paused.get(channel);
      const isComplete = (counts[index] ?? 0) >= (waiting?.expected ?? Infinity);
      const isFollowing = waiting?.state === 'following' && waiting.fence === 'passed';
      if (isFollowing && channel.inFlight === 0 && isComplete) {
        this.deps.release(channel);
      }
    });
  }

  /** Messages in flight are waited for even then: if they come back, they have to go out before those that were paused. */
  #releaseOverdue(): void {
    const now = performance.now();
    for (const [channel, { state, deadline }] of [...this.deps.paused]) {
      if (state === 'following' && now >= deadline && channel.inFlight === 0) {
        this.deps.release(channel);
      }
    }
  }
}
