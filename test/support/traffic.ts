/** The record of one message of a {@link Traffic}; times in ms since the epoch. */
export interface Sent {
  readonly calledAt: number;
  /** 0 until the publish settles. */
  answeredAt: number;
  /** The count, or the error. */
  outcome: number | Error | undefined;
}

/** Publishes 0, 1, 2, … at a steady rate, without waiting for the counts, until it is stopped. */
export class Traffic {
  readonly sent: Sent[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  readonly #answers = new Set<Promise<void>>();
  #answered = 0;
  #check: (() => void) | undefined;

  constructor(
    private readonly publish: (data: string) => Promise<number>,
    perSecond: number,
  ) {
    this.#timer = setInterval(() => {
      // A busy machine makes the timer late: the number that is due counts, not the number of ticks.
      const due = ((performance.now() - this.#startedAt) * perSecond) / 1_000;
      while (this.sent.length < due) this.#send();
    }, 5);
  }

  get last(): string {
    return String(this.sent.length - 1);
  }

  /** The errors of the messages that were not published. */
  get failed(): Error[] {
    return this.sent.map(({ outcome }) => outcome).filter((outcome) => outcome instanceof Error);
  }

  /** Resolves when that many more publishes have settled. */
  async more(count: number): Promise<void> {
    const goal = this.#answered + count;
    await new Promise<void>((resolve) => {
      this.#check = () => {
        if (this.#answered >= goal) resolve();
      };
    });
    this.#check = undefined;
  }

  /** Resolves when all publishes have settled. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#answers);
  }

  #send(): void {
    const message: Sent = { calledAt: Date.now(), answeredAt: 0, outcome: undefined };
    this.sent.push(message);
    const answer = this.publish(String(this.sent.length - 1))
      .catch((error: unknown) => error as Error)
      .then((outcome) => {
        message.outcome = outcome;
        message.answeredAt = Date.now();
        this.#answered += 1;
        this.#answers.delete(answer);
        this.#check?.();
      });
    this.#answers.add(answer);
  }
}
