import { settledWithin } from '../../util/promises.js';
import { ClosedError, QueueFullError } from '../common/errors.js';
import type { Moved, SlotsMoved } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { OverflowPolicy } from '../common/options.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { Topology } from '../topology/topology.js';
import type { OutgoingChannel } from './outgoing-channel.js';
import { PublishQueue } from './publish-queue.js';
import { isRepeatable, type PublishRequest, type PublishRequestListener } from './publish-request.js';
import { SubscriberCountPoller, type ChannelPause } from './subscriber-count-poller.js';

/**
 * How long a message sent to the former owner may take to subscribers at the new one: it travels over the cluster bus
 * (measured: under 1 ms on an idle machine), what follows goes straight.
 */
const BUS_DELAY_MS = 25;

interface MigrationGateLimits {
  readonly slotMigrationTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

interface PausedChannel extends ChannelPause {
  readonly queue: PublishQueue;
}

/**
 * Pauses channels while their subscribers follow a slot to its new owner.
 *
 * A subscriber cannot be at the new owner before it knows of the move, and Redis queues nothing: a message published in
 * between is lost. So the publisher waits until the new owner counts as many subscribers as there were before, or until
 * `slotMigrationTimeout` is over; then the messages go out in order. A channel without subscribers is not paused.
 */
export class MigrationGate {
  readonly #paused = new Map<OutgoingChannel, PausedChannel>();
  readonly #poller: SubscriberCountPoller;
  readonly #stop = new AbortController();
  #length = 0;
  /** Set for `slotMigrationTimeout` after a move: at all other times a publish costs two comparisons. */
  #migrationWindow: NodeJS.Timeout | undefined;
  /** The last move was a failover: messages to shard channels, too, cross the cluster bus. */
  #isFailover = false;
  /** A former owner has left the cluster, and with it the subscribers that were connected there. */
  #hasOwnerLeft = false;

  constructor(
    private readonly topology: Topology,
    connections: CommandConnectionPool,
    private readonly limits: MigrationGateLimits,
    private readonly metrics: Metrics,
    private readonly listener: PublishRequestListener,
  ) {
    this.#poller = new SubscriberCountPoller({
      topology,
      connections,
      paused: this.#paused,
      stop: this.#stop.signal,
      busDelay: (channel) => this.#busDelay(channel),
      release: (channel) => this.#release(channel),
    });
    topology.onChange((moved) => this.#noteMove(moved), this.#stop.signal);
  }

  /** Holds the message, and returns true, if the messages of its channel have to wait. */
  tryHold(request: PublishRequest): boolean {
    if (this.#paused.size === 0 && this.#migrationWindow === undefined) {
      return false;
    }
    const { outgoingChannel: channel } = request;
    let paused = this.#paused.get(channel);
    if (paused === undefined) {
      if (this.#migrationWindow === undefined || !this.#mustWait(channel)) {
        return false;
      }
      const deadline = this.topology.movedAt(channel.slot) + this.limits.slotMigrationTimeout;
      paused = this.#pause(channel, { ...this.#followingNow(channel), deadline });
    }
    this.#add(request, paused);
    return true;
  }

  /**
   * Handles a message that reached fewer subscribers than there were: they may have left, or the node may no longer own
   * the slot.
   */
  verifyLowCount(request: PublishRequest, node: NodeKey, count: number): void {
    const { outgoingChannel: channel } = request;
    let paused = this.#paused.get(channel);
    if (paused === undefined && this.limits.slotMigrationTimeout > 0 && !this.#stop.signal.aborted) {
      const deadline = performance.now() + this.limits.slotMigrationTimeout;
      const { expected } = channel;
      paused = this.#pause(channel, { state: 'verifying', expected, notBefore: 0, deadline });
      void this.#verify(channel, node);
    }
    if (paused === undefined) {
      this.topology.refreshFrom(node).catch(() => undefined);
    }
    if (paused === undefined || !isRepeatable(request)) {
      request.resolve(count);
      return;
    }
    request.unverifiedCount = count;
    request.recounts += 1;
    this.#add(request, paused);
  }

  /** Holds a message that reached no subscriber until there is one, if subscribers may be on their way. */
  holdUntilSubscribed(request: PublishRequest): boolean {
    const { outgoingChannel: channel } = request;
    const movedAt = this.topology.movedAt(channel.slot);
    const deadline = movedAt + this.limits.slotMigrationTimeout;
    let paused = this.#paused.get(channel);
    if (paused === undefined) {
      const isTooLate = movedAt <= channel.settledAt || performance.now() >= deadline;
      if (channel.viaPatterns || isTooLate || this.#stop.signal.aborted) {
        return false;
      }
      paused = this.#pause(channel, { state: 'following', expected: 1, notBefore: 0, deadline });
    }
    this.#add(request, paused);
    return true;
  }

  get length(): number {
    return this.#length;
  }

  /** Fails the messages that still wait. */
  close(): void {
    this.#stop.abort();
    clearTimeout(this.#migrationWindow);
    this.#migrationWindow = undefined;
    for (const [channel, paused] of this.#paused) {
      for (const request of this.#end(channel, paused)) {
        if (request.unverifiedCount === undefined) {
          this.listener.fail(request, new ClosedError());
        } else {
          request.resolveSoon(request.unverifiedCount);
        }
      }
    }
  }

  #noteMove({ slots, changes }: Moved): void {
    const { slotMigrationTimeout } = this.limits;
    if (slots === 0 || slotMigrationTimeout === 0 || this.#stop.signal.aborted) {
      return;
    }
    const { masters, replicas } = this.topology;
    const isFrom = (nodes: readonly NodeKey[]) => (change: SlotsMoved) =>
      nodes.some((node) => node === change.from);
    this.#isFailover = changes.some(isFrom(replicas));
    this.#hasOwnerLeft = !changes.every(isFrom([...masters, ...replicas]));
    clearTimeout(this.#migrationWindow);
    this.#migrationWindow = setTimeout(() => {
      this.#migrationWindow = undefined;
    }, slotMigrationTimeout).unref();
  }

  /**
   * How many subscribers to wait for. Those of a classic channel receive a message wherever they are connected, as long
   * as that node is up; and pattern subscribers, whom NUMSUB does not count, may have been in the count.
   */
  #expected(channel: OutgoingChannel): number {
    if (channel.viaPatterns || (channel.command === 'PUBLISH' && !this.#hasOwnerLeft)) {
      return 0;
    }
    return channel.counted ? channel.expected : 1;
  }

  #busDelay({ command }: OutgoingChannel): number {
    return this.#isFailover || command === 'PUBLISH' ? BUS_DELAY_MS : 0;
  }

  #mustWait(channel: OutgoingChannel): boolean {
    const movedAt = this.topology.movedAt(channel.slot);
    if (movedAt <= channel.settledAt || performance.now() - movedAt > this.limits.slotMigrationTimeout) {
      return false;
    }
    // A message still on its way to the old owner, or on the bus to subscribers it does not count, must not be overtaken.
    const onItsWay = channel.inFlight > 0 || (channel.counted && channel.command === 'PUBLISH');
    return onItsWay || this.#expected(channel) > 0;
  }

  /** Waits for the subscribers of a channel whose slot has moved, from now on. */
  #followingNow(channel: OutgoingChannel): ChannelPause {
    const now = performance.now();
    return {
      state: 'following',
      expected: this.#expected(channel),
      notBefore: now + this.#busDelay(channel),
      deadline: now + this.limits.slotMigrationTimeout,
    };
  }

  #pause(channel: OutgoingChannel, reason: ChannelPause): PausedChannel {
    const paused = { ...reason, queue: new PublishQueue() };
    this.#paused.set(channel, paused);
    this.metrics.migrationPauses += 1;
    this.#poller.start();
    return paused;
  }

  #add(request: PublishRequest, { queue }: PausedChannel): void {
    const { maxQueuedMessages, onOverflow } = this.limits;
    const { outgoingChannel: channel } = request;
    request.waited = true;
    const dropped = queue.addBounded(request, this.#length >= maxQueuedMessages, onOverflow);
    this.#length += queue.length - channel.queued;
    channel.queued = queue.length;
    if (dropped !== undefined) {
      this.listener.fail(dropped, new QueueFullError('a slot that has moved', maxQueuedMessages));
    }
  }

  #end(channel: OutgoingChannel, { queue }: PausedChannel): PublishRequest[] {
    const waiting = queue.drain();
    this.#paused.delete(channel);
    this.#length -= waiting.length;
    channel.queued = 0;
    return waiting;
  }

  #release(channel: OutgoingChannel): void {
    const paused = this.#paused.get(channel);
    if (paused === undefined) {
      return;
    }
    channel.accept();
    for (const request of this.#end(channel, paused)) {
      if (paused.state === 'verifying' && request.unverifiedCount !== undefined) {
        request.resolveSoon(request.unverifiedCount);
      } else {
        request.unverifiedCount = undefined;
        this.listener.dispatch(request);
      }
    }
  }

  async #verify(channel: OutgoingChannel, node: NodeKey): Promise<void> {
    const { topology, limits } = this;
    const refreshed = topology.refreshFrom(node).catch(() => topology.refresh());
    await settledWithin(limits.slotMigrationTimeout, refreshed);
    const paused = this.#paused.get(channel);
    if (paused?.state !== 'verifying') {
      return;
    }
    if (topology.ownerOf(channel.slot) === node) {
      this.#release(channel); // the subscribers have left, then
    } else {
      Object.assign(paused, this.#followingNow(channel));
    }
  }
}
