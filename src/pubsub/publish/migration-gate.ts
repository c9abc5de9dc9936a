import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from '../../util/backoff.js';
import { ClosedError, QueueFullError } from '../common/errors.js';
import { Hold } from './hold.js';
import type { OutgoingChannel } from './outgoing-channel.js';
import type { Moved, SlotsMoved } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { numsub, type NumsubCommand } from '../connection/pubsub-commands.js';
import type { OverflowPolicy } from '../common/options.js';
import { isRepeatable, type PublishRequest, type PublishRequestListener } from './publish-request.js';
import { RedisReplyError } from '../resp/reply.js';
import type { Topology } from '../topology/topology.js';

/**
 * How long what went to the former owner may take to subscribers at the new one, in ms: it travels over the cluster bus
 * (measured: under 1 ms on an idle machine), what follows goes straight.
 */
const BUS_DELAY = 25;

/** How long one node may take to answer a question about counts before the others are asked again, in ms. */
const PATIENCE = 100;

interface MigrationGateLimits {
  readonly slotMigrationTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

/**
 * Keeps the messages of a lane back while its subscribers follow a slot to its new owner.
 *
 * A subscriber cannot be at the new owner before it knows of the move, and Redis queues nothing: what is published in
 * between is lost. The publisher can wait. It asks the new owner for the number of subscribers until as many are there as
 * before, or until the settle window is over; then what waits goes out in order. A lane that was empty before does not
 * wait.
 */
export class MigrationGate {
  readonly #held = new Set<OutgoingChannel>();
  #heldMessages = 0;
  #activeUntil = 0;
  /** Whether the last move was a failover: then shard channels, too, cross the bus. */
  #demoted = false;
  /** Whether the former owner is gone, and with it those who were subscribed there. */
  #gone = false;
  #watching = false;
  /** Nodes at which the ACL forbids PUBSUB: nothing can be waited for there. */
  readonly #mute = new Set<NodeKey>();
  readonly #stop = new AbortController();

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly limits: MigrationGateLimits,
    private readonly metrics: Metrics,
    private readonly owner: PublishRequestListener,
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each lane and node that is waited for
    topology.onChange((moved) => {
      this.#noteMove(moved);
    });
  }

  /** Takes the message if those of its lane have to wait. */
  tryHold(publication: PublishRequest): boolean {
    const { outgoingChannel: lane } = publication;
    if (lane.hold === undefined) {
      if (this.#activeUntil === 0 || !this.#mustWait(lane)) {
        return false;
      }
      const latest = this.topology.movedAt(lane.slot) + this.limits.slotMigrationTimeout;
      const expected = this.#expected(lane);
      this.#start(lane, new Hold('following', expected, performance.now() + this.#busDelay(lane), latest));
    }
    this.#add(publication);
    return true;
  }

  /**
   * What to do about a message that fewer subscribers took than there were: they may have left, or the node may not be
   * the owner any more.
   */
  verifyLowCount(publication: PublishRequest, node: NodeKey, count: number): void {
    const { outgoingChannel: lane } = publication;
    if (lane.hold === undefined && this.limits.slotMigrationTimeout > 0 && !this.#stop.signal.aborted) {
      const latest = performance.now() + this.limits.slotMigrationTimeout;
      this.#start(lane, new Hold('verifying', lane.expected, 0, latest));
      void this.#verify(lane, node);
    }
    if (lane.hold === undefined) {
      this.topology.refreshFrom(node).catch(() => undefined);
      publication.resolve(count);
    } else if (!isRepeatable(publication)) {
      publication.resolve(count);
    } else {
      publication.unverifiedCount = count;
      publication.recounts += 1;
      this.#add(publication);
    }
  }

  /** Has a message that nobody took wait until somebody is there, if subscribers may be on their way. */
  holdUntilSubscribed(publication: PublishRequest): boolean {
    const { outgoingChannel: lane } = publication;
    const movedAt = this.topology.movedAt(lane.slot);
    const latest = movedAt + this.limits.slotMigrationTimeout;
    if (lane.hold === undefined) {
      const isTooLate = movedAt <= lane.settledAt || performance.now() >= latest;
      if (lane.viaPatterns || isTooLate || this.#stop.signal.aborted) {
        return false;
      }
      this.#start(lane, new Hold('following', 1, 0, latest));
    }
    this.#add(publication);
    return true;
  }

  get length(): number {
    return this.#heldMessages;
  }

  /** Fails what still waits. */
  close(): void {
    this.#stop.abort();
    for (const lane of [...this.#held]) {
      for (const publication of this.#end(lane)) {
        if (publication.unverifiedCount === undefined) {
          this.owner.fail(publication, new ClosedError());
        } else {
          publication.resolveSoon(publication.unverifiedCount);
        }
      }
    }
  }

  #noteMove({ slots, changes }: Moved): void {
    const { slotMigrationTimeout } = this.limits;
    if (slots === 0 || slotMigrationTimeout === 0) {
      return;
    }
    const now = performance.now();
    const { masters, replicas } = this.topology;
    const isOneOf = (nodes: readonly NodeKey[]) => (change: SlotsMoved) =>
      nodes.some((node) => node === change.from);
    this.#demoted = changes.some(isOneOf(replicas));
    this.#gone = !changes.every(isOneOf([...masters, ...replicas]));
    if (this.#activeUntil === 0) {
      void this.#expire(slotMigrationTimeout);
    }
    this.#activeUntil = now + slotMigrationTimeout;
  }

  /** Ends the time in which lanes are looked at, so that at all others a publish costs one comparison. */
  async #expire(ms: number): Promise<void> {
    await pause(ms, this.#stop.signal);
    const left = this.#activeUntil - performance.now();
    if (left > 0 && !this.#stop.signal.aborted) {
      return this.#expire(left);
    }
    this.#activeUntil = 0;
  }

  /**
   * How many subscribers to wait for. Those of a classic channel are reached wherever they stand, as long as that is
   * somewhere; and its count may have had pattern subscribers in it, whom NUMSUB does not count.
   */
  #expected(lane: OutgoingChannel): number {
    if (lane.viaPatterns || (lane.command === 'PUBLISH' && !this.#gone)) {
      return 0;
    }
    return lane.counted ? lane.expected : 1;
  }

  #busDelay({ command }: OutgoingChannel): number {
    return this.#demoted || command === 'PUBLISH' ? BUS_DELAY : 0;
  }

  #mustWait(lane: OutgoingChannel): boolean {
    const movedAt = this.topology.movedAt(lane.slot);
    if (movedAt <= lane.settledAt || performance.now() - movedAt > this.limits.slotMigrationTimeout) {
      return false;
    }
    // One that is still on its way to the old owner, or on the bus to those it does not count, must not be overtaken.
    const onItsWay = lane.inFlight > 0 || (lane.counted && lane.command === 'PUBLISH');
    return onItsWay || this.#expected(lane) > 0;
  }

  #start(lane: OutgoingChannel, hold: Hold): void {
    lane.hold = hold;
    this.#held.add(lane);
    this.metrics.migrationPauses += 1;
    if (!this.#watching) {
      this.#watching = true;
      void this.#watch();
    }
  }

  #add(publication: PublishRequest): void {
    const { maxQueuedMessages, onOverflow } = this.limits;
    const queue = (publication.outgoingChannel.hold as Hold).queue;
    if (this.#heldMessages >= maxQueuedMessages && publication.unverifiedCount === undefined) {
      const oldest =
        onOverflow === 'drop-oldest'
          ? queue.take(({ unverifiedCount: counted }) => counted === undefined)
          : undefined;
      this.owner.fail(oldest ?? publication, new QueueFullError('a slot that has moved', maxQueuedMessages));
      if (oldest === undefined) {
        return;
      }
      this.#heldMessages -= 1;
    }
    publication.waited = true;
    queue.add(publication);
    this.#heldMessages += 1;
  }

  #end(lane: OutgoingChannel): PublishRequest[] {
    const waiting = lane.hold?.queue.drain() ?? [];
    lane.hold = undefined;
    this.#held.delete(lane);
    this.#heldMessages -= waiting.length;
    return waiting;
  }

  #release(lane: OutgoingChannel): void {
    const verified = lane.hold?.state === 'verifying';
    lane.accept();
    for (const publication of this.#end(lane)) {
      if (verified && publication.unverifiedCount !== undefined) {
        publication.resolveSoon(publication.unverifiedCount);
      } else {
        publication.unverifiedCount = undefined;
        this.owner.dispatch(publication);
      }
    }
  }

  async #verify(lane: OutgoingChannel, node: NodeKey): Promise<void> {
    const { slotMigrationTimeout } = this.limits;
    const asked = this.topology.refreshFrom(node).catch(() => this.topology.refresh().catch(() => undefined));
    await Promise.race([asked, pause(slotMigrationTimeout, this.#stop.signal)]);
    const { hold } = lane;
    if (hold?.state !== 'verifying') {
      return;
    }
    if (this.topology.ownerOf(lane.slot) === node) {
      this.#release(lane); // they have left, then
    } else {
      hold.state = 'following';
      hold.expected = this.#expected(lane);
      hold.earliest = performance.now() + this.#busDelay(lane);
      hold.latest = performance.now() + slotMigrationTimeout;
    }
  }

  /** Asks for counts until nothing is held any more. */
  async #watch(): Promise<void> {
    await Promise.resolve(); // what one call moves waits together
    for (let round = 0; this.#held.size > 0 && !this.#stop.signal.aborted; round += 1) {
      await this.#askAll();
      const now = performance.now();
      for (const lane of [...this.#held]) {
        const { hold } = lane;
        // What is in flight comes back, or is lost with its connection, before what came after it goes out.
        if (hold?.state === 'following' && now >= hold.latest && lane.inFlight === 0) {
          this.#release(lane);
        }
      }
      if (this.#held.size > 0) {
        await pause(backoffDelay(round, 2, 16), this.#stop.signal);
      }
    }
    this.#watching = false;
  }

  async #askAll(): Promise<void> {
    const now = performance.now();
    const byNode = new Map<NodeKey, OutgoingChannel[]>();
    for (const lane of this.#held) {
      const { hold, inFlight, slot } = lane;
      const node = this.topology.ownerOf(slot);
      if (node === undefined || hold?.state !== 'following' || now < hold.earliest) {
        continue;
      }
      if (inFlight > 0) {
        hold.earliest = now + this.#busDelay(lane);
        continue;
      }
      if (hold.expected === 0 || this.#mute.has(node)) {
        this.#release(lane);
        continue;
      }
      const lanes = byNode.get(node);
      if (lanes === undefined) {
        byNode.set(node, [lane]);
      } else {
        lanes.push(lane);
      }
    }
    if (byNode.size > 0) {
      const answered = Promise.all([...byNode].map(([node, lanes]) => this.#ask(node, lanes)));
      await Promise.race([answered, pause(PATIENCE, this.#stop.signal)]);
    }
  }

  async #ask(node: NodeKey, lanes: readonly OutgoingChannel[]): Promise<void> {
    try {
      const connection = await this.connections.connect(node);
      const ask = async (command: NumsubCommand, about: readonly OutgoingChannel[]): Promise<void> => {
        const names = about.map(({ channel }) => channel);
        this.#compare(await numsub(connection, command, names), about);
      };
      await Promise.all([
        ask(
          'SHARDNUMSUB',
          lanes.filter(({ command }) => command === 'SPUBLISH'),
        ),
        ask(
          'NUMSUB',
          lanes.filter(({ command }) => command === 'PUBLISH'),
        ),
      ]);
    } catch (error) {
      if (error instanceof RedisReplyError && error.kind === 'NOPERM') {
        this.#mute.add(node);
      } // else the next round asks again
    }
  }

  #compare(counts: readonly number[], lanes: readonly OutgoingChannel[]): void {
    lanes.forEach((lane, index) => {
      const { hold } = lane;
      if (hold?.state === 'following' && lane.inFlight === 0 && (counts[index] ?? 0) >= hold.expected) {
        this.#release(lane);
      }
    });
  }
}
