import type { NatMap } from 'ioredis';
import { backoffDelay, pause } from './backoff.js';
import {
  AuthenticationError,
  ClusterPubSubError,
  ClusterUnreachableError,
  InvalidArgumentError,
  NotAClusterError,
} from './errors.js';
import { firstSuccess } from './first-success.js';
import type { Moved } from './message.js';
import type { NodeKey } from './node-address.js';
import type { NodeConnections } from './node-connections.js';
import { RedisReplyError } from './resp/reply.js';
import type { Seeds } from './seeds.js';
import { SharedQuestion } from './shared-question.js';
import { PATTERN_HOME_SLOT, type SubscriptionKind } from './subscription-kind.js';
import {
  countMoved,
  countOwned,
  EMPTY_VIEW,
  isWhole,
  ownerIn,
  readClusterSlots,
  readMoved,
  sameNodes,
  withOwner,
  type TopologyView,
} from './topology-view.js';

/** How long to wait for one node's answer before the next is asked too, in ms. */
const PATIENCE = 200;
/** How often the view is refreshed when nothing else asks for it, in ms (ioredis's own default is not to). */
const DEFAULT_REFRESH_INTERVAL = 5_000;

/** How long after a change the cluster and its clients may disagree about owners, in ms. */
const SETTLES_IN = 1_000;

const TIME_IS_UP = new Error('time is up');

/**
 * The one view of slots and masters that everything in the engine routes by.
 *
 * It is refreshed when somebody meets a sign that it is stale ({@link refresh}: a lost connection, `MOVED`, a revoked
 * subscription), and on an interval; calls that meet cost one question. Listeners hear of each change once.
 */
export class Topology {
  #view: TopologyView = EMPTY_VIEW;
  readonly #refreshing = new SharedQuestion(() => this.#refresh());
  readonly #verifying = new Map<NodeKey, SharedQuestion>();
  #changedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<(moved: Moved) => void>();
  readonly #natMap: NatMap | undefined;

  constructor(
    private readonly connections: NodeConnections,
    private readonly seeds: Seeds,
  ) {
    this.#natMap = seeds.clusterOptions.natMap;
  }

  /** Slots have changed their master a moment ago: not everybody may know yet. */
  get justChanged(): boolean {
    return performance.now() - this.#changedAt < SETTLES_IN;
  }

  get masters(): readonly NodeKey[] {
    return this.#view.masters;
  }

  get replicas(): readonly NodeKey[] {
    return this.#view.replicas;
  }

  ownerOf(slot: number): NodeKey | undefined {
    return ownerIn(this.#view, slot);
  }

  /** Where patterns stand: see {@link PATTERN_HOME_SLOT}. */
  get patternHome(): NodeKey | undefined {
    return this.ownerOf(PATTERN_HOME_SLOT);
  }

  /** The node at which a subscription of this kind belongs now. */
  homeOf(kind: SubscriptionKind, slot: number): NodeKey | undefined {
    return kind.home === 'pattern-home' ? this.patternHome : this.ownerOf(slot);
  }

  onChange(listener: (moved: Moved) => void): void {
    this.#listeners.add(listener);
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
        await within(deadline - Date.now() + PATIENCE, signal, this.refresh());
        break;
      } catch (error) {
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
    this.#timer ??= setInterval(() => {
      this.refreshSoon();
    }, this.seeds.clusterOptions.slotsRefreshInterval ?? DEFAULT_REFRESH_INTERVAL).unref();
  }

  /**
   * Brings the view up to date; rejects when no node answers. Calls that meet share one question, but never one that
   * was asked before the call: what the caller has just seen may be newer than its answer.
   */
  refresh(): Promise<void> {
    return this.#refreshing.answer();
  }

  /** {@link refresh} for those who cannot do anything about a failure; the next sign of staleness tries again. */
  refreshSoon(): void {
    this.refresh().catch(() => undefined);
  }

  /** Asks this very node who owns what, and believes it: a demoted master is the first to know. */
  verify(node: NodeKey): Promise<void> {
    let question = this.#verifying.get(node);
    if (question === undefined) {
      question = new SharedQuestion(async () => {
        const view = await this.#ask(node);
        this.#adopt(isWhole(view) ? view : await this.#fullest(view, [...this.masters, ...this.replicas]));
      });
      this.#verifying.set(node, question);
    }
    return question.answer();
  }

  /** Takes in what a `MOVED slot host:port` answer of `node` says. */
  noteMoved(error: RedisReplyError, node: NodeKey): void {
    const moved = readMoved(error.message, node, this.#natMap);
    if (moved !== undefined && this.ownerOf(moved.slot) !== moved.owner) {
      this.#adopt(withOwner(this.#view, moved.slot, moved.owner));
    }
    this.refreshSoon();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #refresh(): Promise<void> {
    const { masters, replicas } = this.#view;
    const open = this.connections.nodes;
    const seeds = masters.length === 0 ? await this.seeds.addresses() : [];
    const candidates = [...new Set([...shuffle(open), ...shuffle(masters), ...replicas, ...seeds])];
    let view: TopologyView;
    try {
      view = await this.#askOneOf(candidates);
    } catch (error) {
      // Every node may have got another address since (a cluster restarted behind a name).
      const startup = (await this.seeds.addresses()).filter((node) => !candidates.includes(node));
      if (startup.length === 0) {
        throw error;
      }
      view = await this.#askOneOf(startup);
    }
    this.#adopt(isWhole(view) ? view : await this.#fullest(view, candidates));
  }

  /** A node that was reset, or cut off and made to forget, knows its own slots only: the others know better. */
  async #fullest(view: TopologyView, candidates: readonly NodeKey[]): Promise<TopologyView> {
    const everybody = new Set([...candidates, ...(await this.seeds.addresses())]);
    const others = await Promise.allSettled([...everybody].map((node) => this.#ask(node)));
    return others
      .flatMap((other) => (other.status === 'fulfilled' ? [other.value] : []))
      .reduce((best, other) => (countOwned(other) > countOwned(best) ? other : best), view);
  }

  #askOneOf(candidates: readonly NodeKey[]): Promise<TopologyView> {
    return firstSuccess(candidates, (node) => this.#ask(node), PATIENCE, mostTelling);
  }

  async #ask(node: NodeKey): Promise<TopologyView> {
    const connection = await this.connections.connect(node);
    try {
      const view = readClusterSlots(await connection.call('CLUSTER', 'SLOTS'), node, this.#natMap);
      if (view.masters.length === 0) {
        throw new ClusterUnreachableError(`The cluster that ${node} belongs to has no slots assigned yet.`);
      }
      return view;
    } catch (error) {
      throw describe(error, node);
    }
  }

  #adopt(view: TopologyView): void {
    const previous = this.#view;
    const moved = countMoved(previous, view);
    if (moved === 0 && sameNodes(previous, view)) {
      return;
    }
    this.#view = view;
    // The first view is no change.
    if (moved > 0 && previous !== EMPTY_VIEW) {
      this.#changedAt = performance.now();
    }
    this.connections.keepOnly(new Set([...view.masters, ...view.replicas]));
    this.#verifying.clear();
    const event: Moved = { slots: moved, masters: view.masters };
    for (const listener of this.#listeners) {
      listener(event);
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

/** What does not mend itself while one waits. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof NotAClusterError ||
    error instanceof AuthenticationError ||
    error instanceof InvalidArgumentError
  );
}

/** A wrong password says more than that some other node is down. */
function mostTelling(errors: readonly unknown[]): Error {
  const error = errors.find(isFinal) ?? errors[0];
  return error instanceof Error ? error : new ClusterUnreachableError('The startup nodes name no address.');
}

function describe(error: unknown, node: NodeKey): unknown {
  if (error instanceof ClusterPubSubError) {
    return error;
  }
  if (error instanceof RedisReplyError) {
    if (/cluster support disabled/i.test(error.message)) {
      return new NotAClusterError(node, { cause: error });
    }
    if (error.kind === 'NOPERM' || error.kind === 'NOAUTH') {
      return new AuthenticationError(node, error.message, { cause: error });
    }
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ClusterUnreachableError(`Asking ${node} for the slots failed: ${message}`, { cause: error });
}

function shuffle<T>(items: readonly T[]): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
  }
  return copy;
}
