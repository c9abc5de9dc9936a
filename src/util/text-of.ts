/** What an error says; of what is none, how it shows. Whatever was thrown: it may be anything, and refuse to be shown. */
export function errorMessage(error: unknown): string {
  try {
    const said: unknown = error instanceof Error ? error.message : error;
    return String(said);
  } catch {
    return `something that cannot be shown (${typeof error})`;
  }
}
