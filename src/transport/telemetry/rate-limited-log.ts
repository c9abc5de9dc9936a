/** What is known of one kind of line. */
interface Kind {
  nextAt: number;
  /** The last that was left out, and how many were. */
  pending: { readonly line: string; readonly detail: string | undefined } | undefined;
  omitted: number;
}

/**
 * Writes one line in an interval: a broken connection fails thousands of messages in the same way. What came meanwhile is
 * told when the interval is over, as the last of those lines with how many there were before it.
 *
 * @internal
 */
export class RateLimitedLog {
  readonly #kinds = new Map<string, Kind>();

  constructor(
    private readonly write: (line: string, detail?: string) => void,
    private readonly interval = 10_000,
  ) {}

  /**
   * @param kind what counts as "like it"; from a small set, such as error codes.
   * @param detail goes with the line, such as a stack.
   */
  log(line: string, kind = '', detail?: string): void {
    const now = performance.now();
    const state = this.#kinds.get(kind);
    if (state === undefined) {
      this.#kinds.set(kind, { nextAt: now + this.interval, pending: undefined, omitted: 0 });
      this.write(line, detail);
    } else if (state.pending !== undefined) {
      state.pending = { line, detail };
      state.omitted++;
    } else if (now < state.nextAt) {
      state.pending = { line, detail };
      setTimeout(() => this.#tellPending(state), state.nextAt - now).unref();
    } else {
      state.nextAt = now + this.interval;
      this.write(line, detail);
    }
  }

  #tellPending(state: Kind): void {
    const { pending, omitted } = state;
    state.pending = undefined;
    state.omitted = 0;
    state.nextAt = performance.now() + this.interval;
    if (pending !== undefined) {
      const before = omitted === 0 ? '' : ` (and ${String(omitted)} like it before)`;
      this.write(`${pending.line}${before}`, pending.detail);
    }
  }
}
