import { pause } from '../../util/backoff.js';
import { settledWithin } from '../../util/promises.js';
import { ClosedError, QueueFullError } from '../common/errors.js';
import type { Moved, SlotsMoved } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { OverflowPolicy } from '../common/options.js';
import { PATTERN_SLOT } from '../common/subscription-kind.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { Topology } from '../topology/topology.js';
import type { BusFence } from './bus-fence.js';
import { FormerOwners } from './former-owners.js';
import type { OutgoingChannel } from './outgoing-channel.js';
import { PublishQueue } from './publish-queue.js';
import { isRepeatable, type PublishRequest, type PublishRequestListener } from './publish-request.js';
import { recount } from './recount.js';
import { SubscriberCountPoller, type ChannelPause } from './subscriber-count-poller.js';

/**
 * How long a message sent to the former owner may take over the cluster bus, in ms, where {@link BusFence} cannot tell:
 * under 1 ms on an idle machine, more than 40 while a node syncs its `nodes.conf`.
 */
const BUS_DELAY_MS = 50;

/** For how long after a move a message may still be on the bus, and subscribers at the former owner, in ms. */
const BUS_WINDOW_MS = 5_000;

interface MigrationGateLimits {
  readonly slotMigrationTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

interface PausedChannel extends ChannelPause {
  readonly queue: PublishQueue;
  /** Messages that cannot be published again, and whose count is not trusted until the owner is known. */
  readonly uncounted: PublishRequest[];
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
  readonly #formerOwners = new FormerOwners(BUS_WINDOW_MS);
  /** Set for some time after a move: at all other times a publish costs two comparisons. */
  #migrationWindow: NodeJS.Timeout | undefined;
  /** The last move was a failover: messages to shard channels, too, cross the cluster bus. */
  #isFailover = false;
  /** A former owner has left the cluster, and with it the subscribers that were connected there. */
  #hasOwnerLeft = false;

  constructor(
    readonly topology: Topology,
    readonly connections: CommandConnectionPool,
    private readonly fence: BusFence,
    private readonly limits: MigrationGateLimits,
    private readonly metrics: Metrics,
    readonly listener: PublishRequestListener,
  ) {
    this.#poller = new SubscriberCountPoller({
      topology,
      connections,
      paused: this.#paused,
      stop: this.#stop.signal,
      passBus: (channels) => this.#passBus(channels),
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
      paused = this.#pause(channel, this.#followingNow(channel));
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
    const { expected } = channel;
    request.unverifiedCount = count;
    let paused = this.#paused.get(channel);
    const isElsewhere = channel.command === 'PUBLISH' && this.#others([channel.slot], node).length > 0;
    if (!isRepeatable(request) && paused?.state !== 'verifying' && isElsewhere) {
      void this.#recount([request], node, expected); // the move is known, and its subscribers follow
      return;
    }
    if (paused === undefined && this.limits.slotMigrationTimeout > 0 && !this.#stop.signal.aborted) {
      const deadline = performance.now() + this.limits.slotMigrationTimeout;
      paused = this.#pause(channel, { state: 'verifying', expected, fence: 'passed', deadline });
      void this.#verify(channel, node);
    }
    if (paused === undefined) {
      this.topology.refreshFrom(node).catch(() => undefined);
      request.resolve(count);
    } else if (isRepeatable(request)) {
      request.recounts += 1;
      this.#add(request, paused);
    } else if (paused.state === 'verifying') {
      paused.uncounted.push(request);
    } else {
      void this.#recount([request], node, expected);
    }
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
      paused = this.#pause(channel, { state: 'following', expected: 1, fence: 'passed', deadline });
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
      for (const request of [...paused.uncounted.splice(0), ...this.#end(channel, paused)]) {
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
    // Not "a replica now": views leave out a demoted node for as long as it loads the data of its new master.
    this.#isFailover = !changes.every(isFrom(masters));
    this.#hasOwnerLeft = !changes.every(isFrom([...masters, ...replicas]));
    this.#formerOwners.add(changes);
    clearTimeout(this.#migrationWindow);
    this.#migrationWindow = setTimeout(
      () => {
        this.#migrationWindow = undefined;
      },
      Math.max(slotMigrationTimeout, BUS_WINDOW_MS),
    ).unref();
    for (const [channel, paused] of this.#paused) {
      if (paused.state === 'following' && this.#mayBeOnBus(channel)) {
        paused.fence = 'due';
      }
    }
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

  /** Messages of the channel may be on the way from a former owner to subscribers elsewhere. */
  #mayBeOnBus({ command, sentTo, slot }: OutgoingChannel): boolean {
    const crosses = this.#isFailover || command === 'PUBLISH';
    return crosses && sentTo !== undefined && sentTo !== this.topology.ownerOf(slot);
  }

  /**
   * Resolves when the last messages of these channels, which went to one and the same node, are delivered wherever our
   * subscribers may be: at the present owners of the slots and of the patterns, and at former ones.
   */
  async #passBus(channels: readonly OutgoingChannel[]): Promise<void> {
    const from = channels[0]?.sentTo;
    if (from === undefined) {
      return;
    }
    const targets = this.#others([PATTERN_SLOT, ...channels.map(({ slot }) => slot)], from);
    if (targets.length > 0 && !(await this.fence.pass(from, targets))) {
      await pause(BUS_DELAY_MS, this.#stop.signal);
    }
  }

  #mustWait(channel: OutgoingChannel): boolean {
    const movedAt = this.topology.movedAt(channel.slot);
    if (movedAt <= channel.settledAt) {
      return false;
    }
    const age = performance.now() - movedAt;
    // What is still on its way to the old owner, or on the bus, must not be overtaken.
    if (age < BUS_WINDOW_MS && this.#mayBeOnBus(channel)) {
      return true;
    }
    return age <= this.limits.slotMigrationTimeout && (channel.inFlight > 0 || this.#expected(channel) > 0);
  }

  /** Waits for the subscribers of a channel whose slot has moved, from now on. */
  #followingNow(channel: OutgoingChannel): ChannelPause {
    return {
      state: 'following',
      expected: this.#expected(channel),
      fence: this.#mayBeOnBus(channel) ? 'due' : 'passed',
      deadline: performance.now() + this.limits.slotMigrationTimeout,
    };
  }

  #pause(channel: OutgoingChannel, reason: ChannelPause): PausedChannel {
    const paused = { ...reason, queue: new PublishQueue(), uncounted: [] };
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
    const counted: PublishRequest[] = [];
    for (const request of this.#end(channel, paused)) {
      if (paused.state === 'verifying' && request.unverifiedCount !== undefined) {
        counted.push(request);
      } else {
        request.unverifiedCount = undefined;
        this.listener.dispatch(request);
      }
    }
    if (channel.sentTo !== undefined) {
      void this.#recount(counted, channel.sentTo, paused.expected);
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
    const uncounted = paused.uncounted.splice(0);
    const { expected } = paused;
    if (topology.ownerOf(channel.slot) === node) {
      this.#release(channel); // the subscribers have left, then
    } else {
      Object.assign(paused, this.#followingNow(channel));
    }
    await this.#recount(uncounted, node, expected);
  }

  #recount(requests: readonly PublishRequest[], node: NodeKey, expected: number): Promise<void> {
    const [first] = requests;
    const others = first === undefined ? [] : this.#others([first.outgoingChannel.slot], node);
    return recount(this, requests, node, others, expected);
  }

  /** Where subscribers of these slots may be, but at `node`. */
  #others(slots: readonly number[], node: NodeKey): NodeKey[] {
    const nodes = [...new Set(slots)].flatMap((slot) => [
      this.topology.ownerOf(slot),
      ...this.#formerOwners.of(slot),
    ]);
    return [...new Set(nodes)].filter((other): other is NodeKey => other !== undefined && other !== node);
  }
}
