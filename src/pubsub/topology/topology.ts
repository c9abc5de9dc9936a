import { Listeners } from '../../util/listeners.js';
import { settledWithin, SingleFlight, withTimeout } from '../../util/promises.js';
import type { Moved, SlotsMoved } from '../common/events.js';
import { UnknownNodeError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { PATTERN_SLOT, type SubscriptionKind } from '../common/subscription-kind.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import type { RedisReplyError } from '../resp/reply.js';
import type { NodeView } from './node-view.js';
import { ForeignClusterWatch } from './foreign-cluster-watch.js';
import {
  changesBetween,
  countMoved,
  EMPTY_SLOT_MAP,
  isWhole,
  ownerIn,
  readMoved,
  sameIds,
  sameNodes,
  SLOT_COUNT,
  withOwner,
  type SlotMap,
} from './slot-map.js';
import { NODE_REPLY_TIMEOUT_MS, TopologyFetcher } from './topology-fetcher.js';
import { TopologyRefresher, type Pace } from './topology-refresher.js';

/** How often a refresh restarts because of a `MOVED` that arrived meanwhile; after that the next refresh has to do. */
const MAX_RESTARTS = 3;

/** A refresh that finds nothing new is needed this often, in ms, so that the epoch by which views are ranked is a recent one. */
const EPOCH_MAX_AGE_MS = 10_000;

/** For how long after a slot has moved some nodes may still report its former owner. */
const RECENT_MOVE_MS = 5_000;

/**
 * The slots and nodes of the cluster, by which everything in the engine routes.
 *
 * The slot map is refreshed whenever a part of the engine sees a sign that it is stale (a lost connection, `MOVED`, a
 * revoked subscription), and at an interval that depends on such signs ({@link TopologyRefresher}). The view of a node
 * that is cut off, or was away, is not trusted where another node has a newer one.
 */
export class Topology {
  /** What is known of nodes that are not of the cluster. */
  readonly foreign: ForeignClusterWatch;
  #slotMap: SlotMap = EMPTY_SLOT_MAP;
  /** Of the present slot map, as far as it is known. */
  #epoch = 0;
  #epochAt = -Infinity;
  /** Every slot of the present slot map has an owner. */
  #whole = false;
  /** The last `MOVED` that changed the slot map, until a refresh after it has completed. */
  #lastMoved: { readonly owner: NodeKey } | undefined;
  readonly #fetcher: TopologyFetcher;
  readonly #refresher: TopologyRefresher;
  readonly #nodeRefreshes = new Map<NodeKey, SingleFlight>();
  readonly #movedAt = new Float64Array(SLOT_COUNT).fill(-Infinity);
  #changedAt = -Infinity;
  #lookedAt = 0;
  readonly #changeListeners = new Listeners<Moved>();
  readonly #refreshListeners = new Listeners<void>();

  constructor(
    private readonly connections: CommandConnectionPool,
    private readonly startupNodes: StartupNodes,
  ) {
    this.#fetcher = new TopologyFetcher(connections, startupNodes);
    this.foreign = new ForeignClusterWatch(connections, startupNodes);
    const { slotsRefreshInterval } = startupNodes.clusterOptions;
    this.#refresher = new TopologyRefresher(
      { refresh: () => this.#refresh(), check: () => this.#check(), failure: () => this.#fetcher.failure },
      slotsRefreshInterval,
    );
    connections.onFailure(() => this.#refresher.alert());
  }

  /** Another object after every change. */
  get slotMap(): SlotMap {
    return this.#slotMap;
  }

  get masters(): readonly NodeKey[] {
    return this.#slotMap.masters;
  }

  get replicas(): readonly NodeKey[] {
    return this.#slotMap.replicas;
  }

  /** True for masters with slots and their replicas. */
  knows(node: NodeKey): boolean {
    return this.masters.includes(node) || this.replicas.includes(node);
  }

  /** @throws {@link UnknownNodeError} when even a refreshed view does not have one of the nodes */
  async assertKnown(nodes: readonly NodeKey[]): Promise<void> {
    let cause: unknown;
    const findUnknown = (): NodeKey | undefined => nodes.find((node) => !this.knows(node));
    if (findUnknown() !== undefined) {
      await this.refresh().catch((error: unknown) => (cause = error)); // the node may have joined a moment ago
    }
    const unknown = findUnknown();
    if (unknown !== undefined) {
      throw new UnknownNodeError(unknown, [...this.masters, ...this.replicas].join(', '), { cause });
    }
  }

  ownerOf(slot: number): NodeKey | undefined {
    // As ownerIn() does, without the call: every publish asks.
    const { masters, owners } = this.#slotMap;
    return masters[owners[slot] ?? -1];
  }

  /** The node on which a subscription of this kind belongs. */
  targetOf(kind: SubscriptionKind, slot: number): NodeKey | undefined {
    return this.ownerOf(kind.owner === 'pattern-owner' ? PATTERN_SLOT : slot);
  }

  /** When the owner of `slot` last changed, by the monotonic clock, in ms; −Infinity if it never did since the first view. */
  movedAt(slot: number): number {
    return this.#movedAt[slot] ?? -Infinity;
  }

  /** True if any slot has changed its master in the last `ms`. */
  changedWithin(ms: number): boolean {
    return performance.now() - this.#changedAt < ms;
  }

  /** When the query was sent whose reply is the present slot map, in ms since the epoch. */
  get lookedAt(): number {
    return this.#lookedAt;
  }

  /** What the last query has come to. */
  get lastQuery(): Pick<TopologyFetcher, 'asked' | 'failure'> {
    return this.#fetcher;
  }

  /** Calls `listener` after every change of slots or nodes, until the signal aborts. */
  onChange(listener: (moved: Moved) => void, signal: AbortSignal): void {
    this.#changeListeners.add(listener, signal);
  }

  /**
   * Calls `listener` after each completed {@link refresh}, whether or not anything changed; after the change listeners.
   * Until the signal aborts.
   */
  onRefresh(listener: () => void, signal: AbortSignal): void {
    this.#refreshListeners.add(listener, signal);
  }

  /** See {@link TopologyRefresher.findCluster}. */
  connect(timeout: number, signal: AbortSignal): Promise<void> {
    return this.#refresher.findCluster(timeout, signal);
  }

  /**
   * Brings the slot map up to date; rejects when no node replies. Concurrent calls share a refresh, but never one that
   * began before the call: what the caller has just seen may be newer.
   */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  /** {@link refresh}, throttled, for callers that cannot handle a failure: the next sign of staleness tries again. */
  refreshSoon(): void {
    this.#refresher.refreshSoon();
  }

  /** Refreshes at short intervals while `isOutage` returns true. */
  pollWhile(isOutage: () => boolean): void {
    this.#refresher.pollWhile(isOutage);
  }

  /** Checks every second, and not only every 5–10 s, while `isUnsignalled` returns true. */
  watchWhile(isUnsignalled: () => boolean): void {
    this.#refresher.watchWhile(isUnsignalled);
  }

  /** See {@link TopologyRefresher.noteUse}. */
  noteUse(): void {
    if (!this.#refresher.used) {
      void this.#refresher.noteUse();
    }
  }

  /** For queries of all nodes: resolves when the slot map was checked lately, or no node replies soon. */
  async assureRecent(): Promise<void> {
    const checked = this.#refresher.noteUse();
    if (checked !== undefined) {
      await settledWithin(NODE_REPLY_TIMEOUT_MS, checked);
    }
  }

  /** See {@link TopologyRefresher.pace}. */
  get pace(): Pace {
    return this.#refresher.pace;
  }

  /**
   * Refreshes from this node: a demoted master is the first to know. A detached node is the last, so an untrustworthy view
   * is confirmed with other nodes.
   */
  refreshFrom(node: NodeKey): Promise<void> {
    this.#refresher.alert();
    let refresh = this.#nodeRefreshes.get(node);
    if (refresh === undefined) {
      refresh = new SingleFlight(() => this.#update(() => this.#fetcher.fetchFrom(node)));
      this.#nodeRefreshes.set(node, refresh);
    }
    return refresh.run();
  }

  /** Refreshes from this node where it does not agree with the present slot map; never rejects. */
  async checkFrom(node: NodeKey): Promise<void> {
    try {
      if (!(await this.#fetcher.agreesAt(node, this.#slotMap))) {
        await this.refreshFrom(node);
      }
    } catch {
      this.refreshSoon();
    }
  }

  /** Applies a `MOVED slot host:port` reply of `node`. */
  applyMovedError(error: RedisReplyError, node: NodeKey): void {
    const moved = readMoved(error.message, node, this.startupNodes.clusterOptions.natMap);
    if (moved !== undefined && this.ownerOf(moved.slot) !== moved.owner) {
      this.#lastMoved = moved;
      this.#adopt(withOwner(this.#slotMap, moved.slot, moved.owner));
    }
    this.refreshSoon();
  }

  /** Stops asking, until the next {@link connect}. */
  pause(): void {
    this.#refresher.pause();
  }

  async #refresh(): Promise<void> {
    const queriedAt = Date.now();
    try {
      await this.#update(() => this.#fetcher.fetch(this.#slotMap, this.#lastMoved?.owner));
    } catch (error) {
      const isReplaced = await this.foreign.unanswered();
      if (this.foreign.isSuspected()) {
        this.#refresher.pollWhile(this.foreign.isSuspected);
      }
      if (!isReplaced) {
        throw error;
      }
      this.#epoch = 0;
      return this.#refresh();
    }
    this.#lastMoved = undefined;
    this.#completed(queriedAt);
  }

  /**
   * One command where a node agrees with the present slot map: then nothing depends on whether to trust it. Where it does
   * not, all that {@link #refresh} weighs decides.
   */
  async #check(): Promise<boolean> {
    if (!this.#whole || performance.now() - this.#epochAt > EPOCH_MAX_AGE_MS) {
      return false;
    }
    const queriedAt = Date.now();
    const known = this.#slotMap;
    if (!(await this.#fetcher.agrees(known)) || known !== this.#slotMap) {
      return false;
    }
    this.#completed(queriedAt);
    return true;
  }

  #completed(queriedAt: number): void {
    this.#lookedAt = queriedAt;
    this.foreign.answered();
    this.#refresher.watchWhile(this.#isPartial);
    this.#refreshListeners.call();
  }

  /** Fetches and adopts a view; fetches again if a `MOVED` arrived meanwhile, because the view may be older. */
  async #update(fetch: () => Promise<NodeView>): Promise<void> {
    for (let restarts = 0; ; restarts += 1) {
      const lastMoved = this.#lastMoved;
      const view = await this.#fetcher.confirm(await fetch(), this.#slotMap, this.#epoch);
      if (lastMoved === this.#lastMoved || restarts === MAX_RESTARTS) {
        this.#epoch = view.epoch ?? this.#epoch;
        this.#epochAt = performance.now();
        this.foreign.learn(view);
        this.#fetcher.reportOutvoted();
        if (await this.#isConfirmedByOwner(view)) {
          this.#adopt(view.slotMap);
        }
        return;
      }
    }
  }

  /**
   * Slots migrated one by one share an epoch, so the epoch does not expose a node that lags slightly. If a view reassigns
   * a slot that has just moved, the claimed owner has to confirm it; if that node does not reply, the next refresh decides.
   */
  async #isConfirmedByOwner({ node, slotMap }: NodeView): Promise<boolean> {
    if (!this.changedWithin(RECENT_MOVE_MS)) {
      return true;
    }
    for (const { to, ranges } of changesBetween(this.#slotMap, slotMap)) {
      const slot = ranges.find(([first]) => performance.now() - this.movedAt(first) < RECENT_MOVE_MS)?.[0];
      if (slot !== undefined && to !== undefined && to !== node) {
        const owner = to as NodeKey;
        return withTimeout(this.#fetcher.fetchFrom(owner), NODE_REPLY_TIMEOUT_MS, () => new Error()).then(
          (view) => ownerIn(view.slotMap, slot) === owner,
          () => true,
        );
      }
    }
    return true;
  }

  #adopt(slotMap: SlotMap): void {
    const previous = this.#slotMap;
    const changes = changesBetween(previous, slotMap);
    if (changes.length === 0 && sameNodes(previous, slotMap)) {
      this.#slotMap = sameIds(previous, slotMap) ? previous : slotMap;
      return;
    }
    this.#slotMap = slotMap;
    this.#whole = isWhole(slotMap);
    if (previous !== EMPTY_SLOT_MAP) {
      this.#noteMoves(changes);
      this.#refresher.alert();
    }
    this.connections.retain(new Set([...slotMap.masters, ...slotMap.replicas]));
    this.#nodeRefreshes.clear();
    this.#changeListeners.call({ slots: countMoved(changes), changes, masters: slotMap.masters });
  }

  readonly #isPartial = (): boolean => !this.#whole;

  #noteMoves(changes: readonly SlotsMoved[]): void {
    const now = performance.now();
    for (const [first, last] of changes.flatMap(({ ranges }) => ranges)) {
      this.#changedAt = now;
      this.#movedAt.fill(now, first, last + 1);
    }
  }
}
