/** The state of one kind of line. */
interface Kind {
  nextAt: number;
  /** Set while a line is pending. */
  timer: NodeJS.Timeout | undefined;
  /** The last line of this interval. */
  pending: Line | undefined;
  /** How many lines were left out since the last one written. */
  omitted: number;
}

interface Line {
  readonly text: string | (() => string);
  readonly detail: string | undefined;
}

/**
 * Writes at most one line of a kind in an interval: a broken connection fails thousands of messages in the same way. At the
 * end of the interval it writes the last line of those that came meanwhile, with how many there were before it.
 *
 * @internal
 */
export class RateLimitedLog {
  readonly #kinds = new Map<string, Kind>();

  constructor(
    private readonly write: (line: string, detail?: string) => void,
    private readonly intervalMs = 10_000,
  ) {}

  /**
   * @param text the line, or a function that is called when the line is written.
   * @param kind groups similar lines; from a small set, such as error codes.
   * @param detail written with the line, such as a stack.
   */
  log(text: Line['text'], kind = '', detail?: string): void {
    let state = this.#kinds.get(kind);
    if (state === undefined) {
      state = { nextAt: -Infinity, timer: undefined, pending: undefined, omitted: 0 };
      this.#kinds.set(kind, state);
    }
    if (state.pending !== undefined) {
      state.omitted++;
    }
    state.pending = { text, detail };
    if (state.timer === undefined) {
      const wait = state.nextAt - performance.now();
      if (wait > 0) {
        state.timer = setTimeout(() => this.#write(state), wait).unref();
      } else {
        this.#write(state);
      }
    }
  }

  /** Counts the pending line, which is out of date, instead of writing it. */
  drop(kind = ''): void {
    const state = this.#kinds.get(kind);
    if (state?.pending !== undefined) {
      clearTimeout(state.timer);
      state.timer = undefined;
      state.pending = undefined;
      state.omitted++;
    }
  }

  #write(state: Kind): void {
    const { pending, omitted } = state;
    state.nextAt = performance.now() + this.intervalMs;
    state.timer = undefined;
    state.pending = undefined;
    state.omitted = 0;
    if (pending !== undefined) {
      const text = typeof pending.text === 'string' ? pending.text : pending.text();
      this.write(omitted === 0 ? text : `${text} (and ${String(omitted)} like it before)`, pending.detail);
    }
  }
}
