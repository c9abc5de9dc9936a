/** The first few of many things, for a sentence, and how many more there are. Only what is shown is put into words. */
export function firstFew<T>(things: readonly T[], most: number, inWords: (thing: T) => string): string {
  const shown = things.slice(0, most).map(inWords).join(', ');
  const more = things.length - most;
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
}
