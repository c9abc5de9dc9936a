import type { SlotsMoved } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';

interface FormerOwner {
  readonly node: NodeKey;
  readonly ranges: SlotsMoved['ranges'];
  readonly until: number;
}

/** The nodes from which slots have moved lately: subscribers may not have left them yet. */
export class FormerOwners {
  #owners: FormerOwner[] = [];

  /** @param ms how long subscribers may take to leave */
  constructor(private readonly ms: number) {}

  add(changes: readonly SlotsMoved[]): void {
    const now = performance.now();
    this.#owners = this.#owners.filter(({ until }) => until > now);
    for (const { from, ranges } of changes) {
      if (from !== undefined) {
        this.#owners.push({ node: from as NodeKey, ranges, until: now + this.ms });
      }
    }
  }

  of(slot: number): NodeKey[] {
    const now = performance.now();
    return this.#owners
      .filter(
        ({ until, ranges }) => until > now && ranges.some(([first, last]) => first <= slot && slot <= last),
      )
      .map(({ node }) => node);
  }
}
