/** Prints the result of each check of the demo, and counts them. */
export class Account {
  private passed = 0;
  private failed = 0;
  private readonly started = performance.now();

  /** @param signal aborted when the demo is stopped */
  constructor(private readonly signal: AbortSignal) {}

  /**
   * @param check runs the check and returns its result in words; throws when a promise is not kept
   * @throws the reason of the signal once it is aborted
   */
  async check(promise: string, check: () => Promise<string>): Promise<void> {
    try {
      this.signal.throwIfAborted();
      const found = await check();
      this.signal.throwIfAborted();
      this.passed += 1;
      console.log(`  ok    ${promise}\n        ${found}`);
    } catch (error) {
      // A failure while everything is being closed does not count.
      this.signal.throwIfAborted();
      this.failed += 1;
      console.log(`  FAIL  ${promise}\n        ${(error as Error).message}`);
    }
  }

  get hasFailures(): boolean {
    return this.failed > 0;
  }

  get summary(): string {
    const seconds = ((performance.now() - this.started) / 1_000).toFixed(1);
    return `${this.passed} checks passed, ${this.failed} failed, in ${seconds} s`;
  }
}

/** @throws Error with the expected and the actual value, when they differ. */
export function expectEqual(found: unknown, wanted: unknown, what: string): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${what}: ${is}, not ${should}`);
}

/** The lowest, median and highest of some durations, in words. */
export function spread(durations: readonly number[]): string {
  const sorted = [...durations].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.round((sorted.length - 1) * share)] ?? 0).toFixed(1);
  return `${at(0)} / ${at(0.5)} / ${at(1)} ms (least, middle, most)`;
}
