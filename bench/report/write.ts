import type { Results } from '../results.js';
export async function writeResults(_results: Results): Promise<void> {
  /* next */
}
