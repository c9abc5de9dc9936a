import { errorReason } from '../../util/error-message.js';
import { backoffDelay, pause } from '../../util/backoff.js';
import { Deadline } from '../../util/deadline.js';
import { deferred, SingleFlight, withTimeout } from '../../util/promises.js';
import { Throttle } from '../../util/throttle.js';
import { ClosedError, ClusterUnreachableError } from '../common/errors.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import { isFinal, NODE_REPLY_TIMEOUT_MS } from './topology-fetcher.js';

/** Least time between two refreshes that no caller waits for: a storm of `MOVED` costs 20 a second. */
const REFRESH_SPACING_MS = 50;

/** Interval while every change gives a sign of its own, ±{@link STEADY_JITTER}: a fleet spreads its queries evenly. */
const STEADY_INTERVAL_MS = 7_500;
const STEADY_JITTER = 1 / 3;

/** Interval while something depends on the topology that gets no sign, and after a sign; ±{@link JITTER}. */
const WATCH_INTERVAL_MS = 1_000;
const JITTER = 0.1;

/** How long after a sign of a change more changes are expected: slots are migrated one by one. */
const ALERT_FOR_MS = 5_000;

/** Interval of refreshes at the start of an outage. */
const OUTAGE_POLL_INTERVAL_MS = 75;

/** How long that interval lasts; after it the interval grows to {@link MAX_POLL_INTERVAL_MS}. */
const OUTAGE_FAST_POLL_FOR_MS = 10_000;

const MAX_POLL_INTERVAL_MS = 1_000;

/**
 * How often the topology is queried:
 *
 * - `steady`: every 5–10 s, while every change would give a sign: a revoked subscription, `MOVED`, a lost connection
 * - `watch`: every second, while something depends on the topology that gets no sign, and while it is used
 * - `alert`: every second, for {@link ALERT_FOR_MS} after a sign
 * - `outage`: every 75 ms at first, while a subscription is interrupted
 */
export type Pace = 'steady' | 'watch' | 'alert' | 'outage';

export interface RefresherTasks {
  /** Brings the slot map up to date, with all that shows whether a view can be trusted. */
  refresh(): Promise<void>;
  /** Compares the slot map with one node, at the cost of one command; resolves to false where a refresh has to decide. */
  check(): Promise<boolean>;
  /** Why there is no view of the cluster, as far as is known. */
  failure(): unknown;
}

/**
 * Decides when the topology is queried: on request, and at an interval that depends on the {@link Pace}. An interval of
 * the user holds at every pace but `outage`.
 */
export class TopologyRefresher {
  readonly #single: SingleFlight;
  readonly #throttle = new Throttle(() => {
    this.#single.run().catch(() => undefined);
  }, REFRESH_SPACING_MS);
  readonly #outages = new Set<() => boolean>();
  readonly #watches = new Set<() => boolean>();
  #outageSince = 0;
  #alertUntil = -Infinity;
  /** See {@link noteUse}; since the last tick. A field, because every publish reads it. */
  used = false;
  #pace: Pace = 'steady';
  /** False before the cluster is found: then an outage alone causes refreshes. */
  #found = false;
  #timer: NodeJS.Timeout | undefined;
  /** Between {@link pause} and the next {@link findCluster}. */
  #paused = false;

  constructor(
    private readonly tasks: RefresherTasks,
    /** In ms; 0 turns the interval off. */
    private readonly intervalOption?: number,
  ) {
    this.#single = new SingleFlight(() => tasks.refresh());
  }

  get pace(): Pace {
    return this.#pace;
  }

  /** Concurrent calls share a refresh, but never one that began before the call. */
  refresh(): Promise<void> {
    this.alert();
    return this.#single.run();
  }

  /** Refreshes at once, or up to {@link REFRESH_SPACING_MS} later if one has just begun; failures are ignored. */
  refreshSoon(): void {
    this.alert();
    if (!this.#paused) {
      this.#throttle.schedule();
    }
  }

  /** There is a sign of a change. */
  alert(): void {
    this.#alertUntil = performance.now() + ALERT_FOR_MS;
    this.#quicken();
  }

  /**
   * A message is published, or something subscribed: a demoted node accepts both, and gives no sign. The first time after a
   * while the topology is checked at once, and that check is returned.
   */
  noteUse(): Promise<void> | undefined {
    if (this.used) {
      return undefined;
    }
    this.used = true;
    if (this.#pace !== 'steady' || !this.#found || this.intervalOption !== undefined) {
      return undefined;
    }
    this.#schedule();
    return this.#check();
  }

  /**
   * Refreshes until it succeeds, then starts the interval. Rejects after `timeout` ms, and at once for errors that do not
   * pass with time, such as refused credentials.
   */
  async findCluster(timeout: number, signal: AbortSignal): Promise<void> {
    this.#paused = false;
    const deadline = new Deadline(timeout);
    const aborted = deferred<never>();
    let timedOut: Error | undefined;
    const expire = (): Error => (timedOut = this.#unreachable(timeout));
    signal.addEventListener('abort', () => aborted.reject(new ClosedError()));
    let failure: unknown;
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Longer than the last attempt takes: its error is more specific than the time-out.
        const timeLeft = deadline.left + NODE_REPLY_TIMEOUT_MS;
        const refreshed = this.#single.run();
        await withTimeout(Promise.race([refreshed, aborted.promise]), timeLeft, expire);
        break;
      } catch (error) {
        failure = error === timedOut ? (failure ?? error) : error;
        if (isFinal(failure) || signal.aborted || deadline.left === 0) {
          throw failure;
        }
        await pause(Math.min(backoffDelay(attempt, 50), deadline.left), signal);
      }
    }
    this.#found = true;
    this.#schedule();
  }

  #unreachable(timeout: number): ClusterUnreachableError {
    const cause = this.tasks.failure();
    const reason = cause === undefined ? '' : `: ${errorReason(cause)}`;
    return new ClusterUnreachableError(
      `No node of the cluster replied within ${String(timeout)} ms${reason}.`,
      { cause },
    );
  }

  /** Refreshes at the pace of an outage while `isOutage` returns true. */
  pollWhile(isOutage: () => boolean): void {
    if (this.#outages.has(isOutage)) {
      return;
    }
    if (this.#outages.size === 0) {
      this.#outageSince = performance.now();
    }
    this.#outages.add(isOutage);
    this.#schedule();
  }

  /**
   * Keeps the pace at `watch`, or above, while `isUnsignalled` returns true. Where the user has set the interval, the
   * condition would change nothing, and with an interval of 0 never be dropped.
   */
  watchWhile(isUnsignalled: () => boolean): void {
    if (this.intervalOption === undefined && !this.#watches.has(isUnsignalled) && isUnsignalled()) {
      this.#watches.add(isUnsignalled);
      this.#quicken();
    }
  }

  /** Refreshes no more, until the next {@link findCluster}. */
  pause(): void {
    this.#paused = true;
    this.#found = false;
    this.#outages.clear();
    this.#watches.clear();
    clearTimeout(this.#timer);
    this.#throttle.cancel();
  }

  /** The timer of the steady pace would come too late. */
  #quicken(): void {
    if (this.#pace === 'steady') {
      this.#schedule();
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#pace = this.#nextPace();
    const isOutage = this.#pace === 'outage';
    const delay = isOutage ? Math.min(this.#interval(), this.#outageInterval()) : this.#interval();
    if (this.#paused || delay === Infinity) {
      return;
    }
    this.#timer = setTimeout(this.#tick, Math.min(delay, MAX_TIMER_MS));
    if (!isOutage) {
      this.#timer.unref();
    }
  }

  #nextPace(): Pace {
    if (this.#outages.size > 0) {
      return 'outage';
    }
    if (performance.now() < this.#alertUntil) {
      return 'alert';
    }
    return this.#watches.size > 0 || this.used ? 'watch' : 'steady';
  }

  /** The interval of the pace, varied, so that the clients of a cluster do not query in step. */
  #interval(): number {
    if (!this.#found || this.intervalOption === 0) {
      return Infinity;
    }
    return this.intervalOption === undefined && this.#pace === 'steady'
      ? vary(STEADY_INTERVAL_MS, STEADY_JITTER)
      : vary(this.intervalOption ?? WATCH_INTERVAL_MS, JITTER);
  }

  #outageInterval(): number {
    const slowFor = Math.max(0, performance.now() - this.#outageSince - OUTAGE_FAST_POLL_FOR_MS);
    return vary(Math.min(MAX_POLL_INTERVAL_MS, OUTAGE_POLL_INTERVAL_MS + slowFor / 10), JITTER);
  }

  readonly #tick = (): void => {
    for (const conditions of [this.#outages, this.#watches]) {
      for (const holds of conditions) {
        if (!holds()) {
          conditions.delete(holds);
        }
      }
    }
    if (this.#pace === 'alert' || this.#pace === 'outage') {
      this.#throttle.schedule();
    } else {
      void this.#check();
    }
    this.#schedule();
    this.used = false;
  };

  /** Never rejects: no reply is a sign, too. */
  #check(): Promise<void> {
    return this.tasks
      .check()
      .then((agrees) => (agrees || this.#paused ? undefined : this.#single.run()))
      .catch(() => this.alert());
  }
}

function vary(interval: number, jitter: number): number {
  return interval * (1 - jitter + 2 * jitter * Math.random());
}
