/** What came of the inputs of a target. */
export interface Outcome {
  readonly inputs: number;
  /** Empty if all is well. */
  readonly problems: readonly string[];
  /** Of the traffic beside it. */
  readonly legitimate?: { readonly sent: number; readonly right: number };
}

/** A part of the package, and what it is given that nobody should send. The same seed gives the same inputs. */
export interface Target {
  readonly name: string;
  run(inputs: number, seed: number): Promise<Outcome>;
}

/** What escapes from promises and callbacks while `run` runs. */
export async function escaped(run: () => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  const note = (error: unknown): void => void found.push(String((error as Error).stack ?? error));
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  try {
    await run();
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
  }
  return found;
}
