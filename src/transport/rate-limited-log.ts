/**
 * Writes one line in an interval, and says with the next how many it left out: a broken connection fails thousands of
 * messages in the same way.
 *
 * @internal
 */
export class RateLimitedLog {
  readonly #kinds = new Map<string, { nextAt: number; omitted: number }>();

  constructor(
    private readonly write: (line: string) => void,
    private readonly interval = 10_000,
  ) {}

  /** @param kind what counts as "like it"; from a small set, such as error codes. */
  log(line: string, kind = ''): void {
    const now = performance.now();
    const state = this.#kinds.get(kind);
    if (state !== undefined && now < state.nextAt) {
      state.omitted++;
      return;
    }
    const omitted = state?.omitted ?? 0;
    this.write(omitted === 0 ? line : `${line} (and ${String(omitted)} like it before)`);
    this.#kinds.set(kind, { nextAt: now + this.interval, omitted: 0 });
  }
}
