import { inspect } from 'node:util';
import type { Latency, Outcome } from '../members/protocol.js';

/** A load that is running. */
export interface RunningLoad {
  /** Resolves when the first message has arrived. */
  begin(): Promise<void>;
  /** Number of answers, or of events emitted. */
  readonly done: number;
  /** Latencies since the last call. */
  latency?(): Latency | undefined;
  stop(): Promise<Outcome>;
}

/** Nest passes on the failure of a transport, which may not be an Error. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : inspect(error);
}

/** Time in ms for requests in flight to finish once a load ends. */
export const graceToArrive = 3_000;
