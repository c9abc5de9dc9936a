import { inspect } from 'node:util';
import type { Latency, Outcome } from '../members/protocol.js';

/** A load from its beginning to its end. */
export interface RunningLoad {
  /** Resolves when what it needs is known to work: the first message has arrived. */
  begin(): Promise<void>;
  /** Grows with every answer, or every event emitted. */
  readonly done: number;
  /** Since the last call. */
  latency?(): Latency | undefined;
  stop(): Promise<Outcome>;
}

/** Nest hands on what a transport fails with, be it an Error or not. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : inspect(error);
}

/** How long what is under way may still take once a load ends, in ms. */
export const graceToArrive = 3_000;
