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
