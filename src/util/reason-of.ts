import { errorMessage } from './text-of.js';

/** What an error says, to be put into a sentence. */
export function reasonOf(error: unknown): string {
  return errorMessage(error).replace(/\.$/, '');
}
