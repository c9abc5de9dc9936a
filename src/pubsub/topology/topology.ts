import { backoffDelay, pause } from '../../util/backoff.js';
import { TopologyFetcher, isFinal, NODE_REPLY_TIMEOUT_MS } from './topology-fetcher.js';
import { ClusterUnreachableError } from '../common/errors.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import type { Moved, SlotsMoved } from '../common/events.js';
import { isTrustworthy, type NodeView } from './node-view.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { RedisReplyError } from '../resp/reply.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import { SingleFlight } from '../../util/promises.js';
import { Throttle } from '../../util/throttle.js';
import { errorMessage } from '../../util/error-message.js';
import { PATTERN_SLOT, type SubscriptionKind } from '../common/subscription-kind.js';
import {
  changesBetween,
  countMoved,
  EMPTY_SLOT_MAP,
  ownerIn,
  readMoved,
  sameNodes,
  SLOT_COUNT,
  withOwner,
  type SlotMap,
} from './slot-map.js';

/** How often the view is refreshed when nothing else asks for it, in ms (ioredis's own default is not to). */
const DEFAULT_REFRESH_INTERVAL = 1_000;

/** The least time between two refreshes that nobody waits for, in ms: a storm of `MOVED` costs 20 a second. */
const REFRESH_SPACING = 50;

/** How often a refresh starts over because news came while it was on its way; after that the next one has to do. */
const MAX_RESTARTS = 3;

/** For how long after a slot has moved some nodes may still name its former owner, in ms. */
const JUST_MOVED = 5_000;

const TIME_IS_UP = new Error('time is up');

/**
 * The one view of slots and masters that everything in the engine routes by.
 *
 * It is refreshed when somebody meets a sign that it is stale ({@link refresh}: a lost connection, `MOVED`, a revoked
 * subscription), and on an interval; calls that meet cost one question. A node that is cut off, or was away, is not
 * believed where another one knows better. Listeners hear of each change once.
 */
export class Topology {
  #view: SlotMap = EMPTY_SLOT_MAP;
  /** Of the view that we have, as far as it is known. */
  #epoch = 0;
  /** The last `MOVED` that told us something, until a refresh has gone by it. */
  #news: { readonly owner: NodeKey } | undefined;
  readonly #survey: TopologyFetcher;
  readonly #refreshing = new SingleFlight(() => this.#refresh());
  readonly #refreshSoon = new Throttle(() => {
    this.refresh().catch(() => undefined);
  }, REFRESH_SPACING);
  readonly #verifying = new Map<NodeKey, SingleFlight>();
  /** When each slot got its owner; see {@link movedAt}. */
  readonly #movedAt = new Float64Array(SLOT_COUNT).fill(-Infinity);
  #changedAt = -Infinity;
  #lookedAt = 0;
  /** Whom the last question went to, and what came of the last that failed. */
  #asked: readonly NodeKey[] = [];
  #failure: unknown;
  #timer: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<(moved: Moved) => void>();
  readonly #refreshListeners = new Set<() => void>();

  constructor(
    private readonly connections: CommandConnectionPool,
    private readonly seeds: StartupNodes,
  ) {
    this.#survey = new TopologyFetcher(connections, seeds.clusterOptions.natMap);
  }

  /** When the owner of `slot` last changed, as `performance.now()` has it; −Infinity if it never did. The first view is no change. */
  movedAt(slot: number): number {
    return this.#movedAt[slot] ?? -Infinity;
  }

  /** Slots have changed their master in the last `ms`: not everybody may know yet. */
  changedWithin(ms: number): boolean {
    return performance.now() - this.#changedAt < ms;
  }

  /** Another object after every change. */
  get view(): SlotMap {
    return this.#view;
  }

  get masters(): readonly NodeKey[] {
    return this.#view.masters;
  }

  get replicas(): readonly NodeKey[] {
    return this.#view.replicas;
  }

  /** Whether it is a node of the cluster, as far as is known. */
  knows(node: NodeKey): boolean {
    return this.#view.masters.includes(node) || this.#view.replicas.includes(node);
  }

  /** When the question was asked whose answer is the view that we have, in ms since the epoch. */
  get lookedAt(): number {
    return this.#lookedAt;
  }

  /** Whom we have asked where the cluster is, and what the last failure was: for people. */
  get lastAttempt(): string {
    const asked = this.#asked.length === 0 ? 'No node was asked yet.' : `Asked: ${this.#asked.join(', ')}.`;
    return this.#failure === undefined ? asked : `${asked} ${errorMessage(this.#failure)}`;
  }

  ownerOf(slot: number): NodeKey | undefined {
    return ownerIn(this.#view, slot);
  }

  /** Where patterns stand: see {@link PATTERN_SLOT}. */
  get patternOwner(): NodeKey | undefined {
    return this.ownerOf(PATTERN_SLOT);
  }

  /** The node at which a subscription of this kind belongs now. */
  targetOf(kind: SubscriptionKind, slot: number): NodeKey | undefined {
    return kind.owner === 'pattern-home' ? this.patternOwner : this.ownerOf(slot);
  }

  onChange(listener: (moved: Moved) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls `listener` after each completed {@link refresh}, whether or not the view changed; after the change listeners. */
  onRefresh(listener: () => void): void {
    this.#refreshListeners.add(listener);
  }

  /**
   * Asks the startup nodes until one answers, at most `timeout` ms long. A standalone server and refused credentials
   * end it at once, for they do not mend themselves.
   */
  async connect(timeout: number, signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + timeout;
    let reason: unknown;
    for (let attempt = 0; ; attempt += 1) {
      try {
        // A little longer than its last attempt, whose error says more than that time is up.
        await within(deadline - Date.now() + NODE_REPLY_TIMEOUT_MS, signal, this.refresh());
        break;
      } catch (error) {
        this.#failure = error === TIME_IS_UP ? this.#failure : error;
        reason =
          error === TIME_IS_UP
            ? (reason ??
              new ClusterUnreachableError(`No node of the cluster answered within ${String(timeout)} ms.`))
            : error;
        if (isFinal(reason) || signal.aborted || Date.now() >= deadline) {
          throw reason;
        }
        await pause(Math.min(backoffDelay(attempt, 50), Math.max(0, deadline - Date.now())), signal);
      }
    }
    if (signal.aborted) {
      return;
    }
    if (this.#timer === undefined) {
      this.#scheduleRefresh();
    }
  }

  /**
   * Brings the view up to date; rejects when no node answers. Calls that meet share one question, but never one that
   * was asked before the call: what the caller has just seen may be newer than its answer.
   */
  refresh(): Promise<void> {
    return this.#refreshing.run();
  }

  /**
   * {@link refresh} for those who cannot do anything about a failure; the next sign of staleness tries again. At once,
   * or up to {@link REFRESH_SPACING} ms later when one has just begun.
   */
  refreshSoon(): void {
    this.#refreshSoon.schedule();
  }

  /**
   * Asks this very node who owns what: a demoted master is the first to know. One that was detached is the last, so in
   * doubt ({@link isTrustworthy}) the others are asked too.
   */
  refreshFrom(node: NodeKey): Promise<void> {
    let question = this.#verifying.get(node);
    if (question === undefined) {
      question = new SingleFlight(() => this.#learn(() => this.#survey.fetchFrom(node)));
      this.#verifying.set(node, question);
    }
    return question.run();
  }

  /** Takes in what a `MOVED slot host:port` answer of `node` says. */
  applyMovedError(error: RedisReplyError, node: NodeKey): void {
    const moved = readMoved(error.message, node, this.seeds.clusterOptions.natMap);
    if (moved !== undefined && this.ownerOf(moved.slot) !== moved.owner) {
      this.#news = moved;
      this.#adopt(withOwner(this.#view, moved.slot, moved.owner));
    }
    this.refreshSoon();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#refreshSoon.close();
    this.#listeners.clear();
    this.#refreshListeners.clear();
  }

  /** Not to the beat, so that the clients of a cluster do not ask all at once. */
  #scheduleRefresh(): void {
    const interval = this.seeds.clusterOptions.slotsRefreshInterval ?? DEFAULT_REFRESH_INTERVAL;
    if (interval > 0) {
      const next = Math.min(interval * (0.9 + 0.2 * Math.random()), MAX_TIMER_MS);
      this.#timer = setTimeout(() => {
        this.refreshSoon();
        this.#scheduleRefresh();
      }, next).unref();
    }
  }

  async #refresh(): Promise<void> {
    const asked = Date.now();
    await this.#learn(() => this.#askAnyone());
    this.#news = undefined;
    this.#lookedAt = asked;
    for (const listener of this.#refreshListeners) {
      listener();
    }
  }

  /** Adopts what the answer says; asks again if a `MOVED` came meanwhile, for the answer may be older than that. */
  async #learn(ask: () => Promise<NodeView>): Promise<void> {
    for (let restarts = 0; ; restarts += 1) {
      const news = this.#news;
      const account = await this.#confirm(await ask());
      if (news === this.#news || restarts === MAX_RESTARTS) {
        this.#epoch = account.epoch ?? this.#epoch;
        if (await this.#isNoStepBack(account)) {
          this.#adopt(account.view);
        }
        return;
      }
    }
  }

  /**
   * Slots that are migrated one by one share an epoch, so that a node which is a little behind is believed. Where an
   * account moves a slot that has moved a moment ago, the node that it names as the owner has to say so itself: the owner
   * is the first to know.
   */
  async #isNoStepBack({ node, view }: NodeView): Promise<boolean> {
    if (!this.changedWithin(JUST_MOVED)) {
      return true;
    }
    const doubtful = changesBetween(this.#view, view).find(
      ({ to, ranges }) =>
        to !== undefined && to !== node && ranges.some(([first]) => this.#hasJustMoved(first)),
    );
    const range = doubtful?.ranges.find(([first]) => this.#hasJustMoved(first));
    if (doubtful === undefined || range === undefined) {
      return true;
    }
    const owner = doubtful.to as NodeKey;
    const saysSo = this.#survey.fetchFrom(owner).then(
      ({ view: own }) => ownerIn(own, range[0]) === owner,
      () => true, // it cannot be asked: the next refresh will tell
    );
    const settled = new AbortController();
    try {
      return await Promise.race([saysSo, pause(NODE_REPLY_TIMEOUT_MS, settled.signal).then(() => true)]);
    } finally {
      settled.abort();
    }
  }

  #hasJustMoved(slot: number): boolean {
    return performance.now() - this.movedAt(slot) < JUST_MOVED;
  }

  async #askAnyone(): Promise<NodeView> {
    const { masters } = this.#view;
    const seeds = masters.length === 0 ? await this.seeds.addresses() : [];
    // The new owner of a slot knows of it first.
    const newOwner = this.#news === undefined ? [] : [this.#news.owner];
    const candidates = [...new Set([...newOwner, ...this.#known(), ...seeds])];
    this.#asked = candidates;
    try {
      return await this.#survey.fetchFromAny(candidates);
    } catch (error) {
      // Every node may have got another address since (a cluster restarted behind a name).
      const startup = (await this.seeds.addresses()).filter((node) => !candidates.includes(node));
      if (startup.length === 0) {
        throw error;
      }
      return await this.#survey.fetchFromAny(startup);
    }
  }

  /**
   * A node that was reset, or cut off and made to forget, knows its own slots only; one that was away for a while takes
   * itself for the master that it was: the others know better.
   */
  async #confirm(account: NodeView): Promise<NodeView> {
    if (isTrustworthy(account, this.#epoch)) {
      return account;
    }
    const startup = await this.seeds.addresses().catch((): NodeKey[] => []);
    const others = new Set([...this.#known(), ...startup]);
    others.delete(account.node);
    return this.#survey.confirmWithPeers(account, [...others], this.#epoch);
  }

  /** All nodes that we know; masters first, for replicas hear of moves later, and those to which a connection is open. */
  #known(): readonly NodeKey[] {
    const { masters, replicas } = this.#view;
    const open = new Set(this.connections.nodes);
    const [connected, others] = [
      masters.filter((node) => open.has(node)),
      masters.filter((node) => !open.has(node)),
    ];
    return [...new Set([...shuffle(connected), ...shuffle(others), ...replicas])];
  }

  #adopt(view: SlotMap): void {
    const previous = this.#view;
    const changes = changesBetween(previous, view);
    if (changes.length === 0 && sameNodes(previous, view)) {
      return;
    }
    this.#view = view;
    // The first view is no change.
    if (changes.length > 0 && previous !== EMPTY_SLOT_MAP) {
      this.#stamp(changes);
    }
    this.connections.retain(new Set([...view.masters, ...view.replicas]));
    this.#verifying.clear();
    const event: Moved = { slots: countMoved(changes), changes, masters: view.masters };
    for (const listener of this.#listeners) {
      listener(event);
    }
  }

  #stamp(changes: readonly SlotsMoved[]): void {
    this.#changedAt = performance.now();
    for (const { ranges } of changes) {
      for (const [first, last] of ranges) {
        this.#movedAt.fill(this.#changedAt, first, last + 1);
      }
    }
  }
}

/** Rejects with {@link TIME_IS_UP} when `promise` has not settled after `ms`, or when `signal` aborts. */
async function within<T>(ms: number, signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const late = pause(ms, AbortSignal.any([signal, settled.signal])).then(() => {
    throw TIME_IS_UP;
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    settled.abort();
  }
}

function shuffle<T>(items: readonly T[]): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
  }
  return copy;
}
