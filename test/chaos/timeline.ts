/** The kinds of lines. Recovery is measured from each `fault`. */
export type EntryKind = 'fault' | 'promotion' | 'note' | 'event' | 'violation';

export interface Entry {
  /** In ms since the epoch. */
  readonly at: number;
  readonly kind: EntryKind;
  readonly who: string;
  readonly text: string;
}

/** Lines a second that are printed of those that differ in names and numbers only; the rest is counted. */
const MAX_ALIKE = 3;
const second = 1_000;

/** The events of a run in the order in which they were reported; printed as they arrive. */
export class Timeline {
  readonly start = Date.now();
  readonly #entries: Entry[] = [];
  readonly #shapes = new Map<string, { since: number; count: number }>();

  constructor(private readonly print: (line: string) => void) {}

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  add(kind: EntryKind, who: string, text: string, at = Date.now()): void {
    const entry = { at, kind, who, text };
    this.#entries.push(entry);
    if (kind !== 'event') {
      this.#printEntry(entry);
      return;
    }
    const shape = `${who} ${text.replace(/chaos\.\S+|\d+/g, '#')}`;
    const known = this.#shapes.get(shape);
    if (known === undefined || at - known.since > second) {
      if (known !== undefined) this.#printRest(shape, known.count);
      this.#shapes.set(shape, { since: at, count: 1 });
    } else {
      known.count += 1;
      if (known.count > MAX_ALIKE) return;
    }
    this.#printEntry(entry);
  }

  /** Prints the counts of lines that were left out. */
  flush(): void {
    for (const [shape, { count }] of this.#shapes) this.#printRest(shape, count);
    this.#shapes.clear();
  }

  timesOf(kind: EntryKind): number[] {
    return this.#entries.filter((entry) => entry.kind === kind).map(({ at }) => at);
  }

  #printRest(shape: string, count: number): void {
    if (count > MAX_ALIKE) this.print(`        … ${shape}: ${count - MAX_ALIKE} more in that second`);
  }

  #printEntry({ at, kind, who, text }: Entry): void {
    const mark = { fault: '!', promotion: '^', note: '-', event: ' ', violation: 'X' }[kind];
    this.print(`${String(at - this.start).padStart(7)} ${mark} ${who.padEnd(6)} ${text}`);
  }
}
