import { backoffDelay, pause } from '../../util/backoff.js';
import { Deadline } from '../../util/deadline.js';
import { deferred, SingleFlight, withTimeout } from '../../util/promises.js';
import { Throttle } from '../../util/throttle.js';
import { ClosedError, ClusterUnreachableError } from '../common/errors.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import { isFinal, NODE_REPLY_TIMEOUT_MS } from './topology-fetcher.js';

/** Interval of refreshes that nothing else causes. (The default of ioredis is none.) */
const DEFAULT_INTERVAL_MS = 1_000;

/** Least time between two refreshes that no caller waits for: a storm of `MOVED` costs 20 a second. */
const REFRESH_SPACING_MS = 50;

/** Interval of refreshes at the start of an outage. */
const OUTAGE_POLL_INTERVAL_MS = 75;

/** How long that interval lasts; after it the interval grows to {@link MAX_POLL_INTERVAL_MS}. */
const OUTAGE_FAST_POLL_FOR_MS = 10_000;

const MAX_POLL_INTERVAL_MS = 1_000;

/** Decides when the topology is refreshed: on request, at an interval, and at a shorter one during an outage. */
export class TopologyRefresher {
  readonly #single: SingleFlight;
  readonly #throttle = new Throttle(() => {
    this.refresh().catch(() => undefined);
  }, REFRESH_SPACING_MS);
  readonly #outages = new Set<() => boolean>();
  #outageSince = 0;
  /** Infinity before the cluster is found, and where the interval is turned off. */
  #interval = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    refresh: () => Promise<void>,
    private readonly intervalOption = DEFAULT_INTERVAL_MS,
  ) {
    this.#single = new SingleFlight(refresh);
  }

  /** Concurrent calls share a refresh, but never one that began before the call. */
  refresh(): Promise<void> {
    return this.#single.run();
  }

  /** Refreshes at once, or up to {@link REFRESH_SPACING_MS} later if one has just begun; failures are ignored. */
  refreshSoon(): void {
    this.#throttle.schedule();
  }

  /**
   * Refreshes until it succeeds, then starts the interval. Rejects after `timeout` ms, and at once for errors that do not
   * pass with time, such as refused credentials.
   */
  async findCluster(timeout: number, signal: AbortSignal): Promise<void> {
    const deadline = new Deadline(timeout);
    const aborted = deferred<never>();
    const timedOut = new ClusterUnreachableError(
      `No node of the cluster replied within ${String(timeout)} ms.`,
    );
    signal.addEventListener('abort', () => aborted.reject(new ClosedError()));
    let failure: unknown;
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Longer than the last attempt takes: its error is more specific than the time-out.
        const timeLeft = deadline.left + NODE_REPLY_TIMEOUT_MS;
        await withTimeout(Promise.race([this.refresh(), aborted.promise]), timeLeft, () => timedOut);
        break;
      } catch (error) {
        failure = error === timedOut ? (failure ?? error) : error;
        if (isFinal(failure) || signal.aborted || deadline.left === 0) {
          throw failure;
        }
        await pause(Math.min(backoffDelay(attempt, 50), deadline.left), signal);
      }
    }
    this.#interval = this.intervalOption > 0 ? this.intervalOption : Infinity;
    this.#schedule();
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

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#throttle.close();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const isOutage = this.#outages.size > 0;
    // Varied, so that the clients of a cluster do not query in step.
    const interval = this.#interval * (0.9 + 0.2 * Math.random());
    const delay = isOutage ? Math.min(interval, this.#outageInterval()) : interval;
    if (this.#closed || delay === Infinity) {
      return;
    }
    this.#timer = setTimeout(this.#tick, Math.min(delay, MAX_TIMER_MS));
    if (!isOutage) {
      this.#timer.unref();
    }
  }

  #outageInterval(): number {
    const slowFor = Math.max(0, performance.now() - this.#outageSince - OUTAGE_FAST_POLL_FOR_MS);
    return Math.min(MAX_POLL_INTERVAL_MS, OUTAGE_POLL_INTERVAL_MS + slowFor / 10);
  }

  readonly #tick = (): void => {
    for (const isOutage of this.#outages) {
      if (!isOutage()) {
        this.#outages.delete(isOutage);
      }
    }
    this.refreshSoon();
    this.#schedule();
  };
}
