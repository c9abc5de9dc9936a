/** What a line of the timeline tells of. Recovery is measured from each `fault`. */
export type EntryKind = 'fault' | 'promotion' | 'note' | 'event' | 'violation';

export interface Entry {
  /** In ms since the epoch. */
  readonly at: number;
  readonly kind: EntryKind;
  readonly who: string;
  readonly text: string;
}

/** What happened in a run, in the order in which it was heard of; printed as it comes. */
export class Timeline {
  readonly start = Date.now();
  readonly #entries: Entry[] = [];

  constructor(private readonly print: (line: string) => void) {}

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  add(kind: EntryKind, who: string, text: string, at = Date.now()): void {
    this.#entries.push({ at, kind, who, text });
    const mark = { fault: '!', promotion: '^', note: '-', event: ' ', violation: 'X' }[kind];
    this.print(`${String(at - this.start).padStart(7)} ${mark} ${who.padEnd(6)} ${text}`);
  }

  timesOf(kind: EntryKind): number[] {
    return this.#entries.filter((entry) => entry.kind === kind).map(({ at }) => at);
  }
}
