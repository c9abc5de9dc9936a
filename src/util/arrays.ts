/** The first `limit` items as text, with the number of the others; `toText` converts only the items shown. */
export function firstFew<T>(items: readonly T[], limit: number, toText: (item: T) => string): string {
  const shown = items.slice(0, limit).map(toText).join(', ');
  const more = items.length - limit;
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) {
    total += number;
  }
  return total;
}

/** A copy in random order. */
export function shuffle<T>(items: readonly T[]): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
  }
  return copy;
}
