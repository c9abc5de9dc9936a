import type { ArmClient } from '../arm.js';
import { wordsOf } from './running-load.js';

const patience = 10_000;
const together = 100;

/**
 * Resolves when every pattern has echoed a request: stock Nest's `listen()` calls back before all subscriptions are
 * confirmed, and the first request makes the client's own subscription.
 */
export async function knowToAnswer(client: ArmClient, patterns: readonly string[]): Promise<void> {
  for (let from = 0; from < patterns.length; from += together) {
    await Promise.all(patterns.slice(from, from + together).map((pattern) => answers(client, pattern)));
  }
}

async function answers(client: ArmClient, pattern: string): Promise<void> {
  const question = `is anybody at ${pattern}?`;
  const answer = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`No answer from ${pattern}.`)), patience);
    client.request(pattern, question, (error, data) => {
      clearTimeout(timer);
      if (error === undefined) resolve(data);
      else reject(new Error(wordsOf(error), { cause: error }));
    });
  });
  if (answer !== question)
    throw new Error(`${pattern} answered ${JSON.stringify(answer)}, not what it was sent.`);
}
