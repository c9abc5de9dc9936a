/** How often the cluster is asked for its new shape while subscriptions are lost, in ms. */
const OUTAGE_POLL_INTERVAL_MS = 75;

/** For so long, in ms; a cluster that takes longer is asked less and less often, once a second in the end. */
const SOON = 10_000;

const SELDOM = 1_000;

/** Asks for the new shape of the cluster again and again while something is lost. */
export class OutagePoller {
  #timer: NodeJS.Timeout | undefined;
  #since = 0;

  constructor(
    private readonly lasts: () => boolean,
    private readonly look: () => void,
  ) {}

  /** Something is lost. */
  start(): void {
    if (this.#timer === undefined) {
      this.#since = performance.now();
      this.#timer = setTimeout(this.#tick, OUTAGE_POLL_INTERVAL_MS);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  readonly #tick = (): void => {
    if (!this.lasts()) {
      this.#timer = undefined;
      return;
    }
    this.look();
    const late = Math.max(0, performance.now() - this.#since - SOON);
    this.#timer = setTimeout(this.#tick, Math.min(SELDOM, OUTAGE_POLL_INTERVAL_MS + late / 10));
  };
}
