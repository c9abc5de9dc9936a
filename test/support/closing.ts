import { afterAll, afterEach, beforeEach } from '@jest/globals';

export interface Closable {
  close(): unknown;
}

/** All of the file that imports this module; Jest loads it anew for each file. */
const closings: Closing[] = [];

/**
 * Closes what is registered: opened in a test, after that test; opened in `beforeAll` or while the file is read, after
 * the last test of the file or the `describe`.
 */
export class Closing {
  readonly #ofFile = new Set<Closable>();
  readonly #ofTest = new Set<Closable>();
  #current = this.#ofFile;

  constructor() {
    closings.push(this);
    beforeEach(() => {
      this.#current = this.#ofTest;
    });
    afterEach(() => {
      this.#current = this.#ofFile;
      return closeAll(this.#ofTest);
    });
    afterAll(() => closeAll(this.#ofFile));
  }

  add<T extends Closable>(opened: T): T {
    this.#current.add(opened);
    return opened;
  }

  /** Closes everything now; for tests about what closing does. */
  async close(): Promise<void> {
    await Promise.all([this.#ofTest, this.#ofFile].map(closeAll));
  }
}

/** Closes everything that the file has open: before its clusters stop, as Jest runs the first `afterAll` first. */
export async function closeEverything(): Promise<void> {
  await Promise.all(closings.map((closing) => closing.close()));
}

async function closeAll(opened: Set<Closable>): Promise<void> {
  const all = [...opened];
  opened.clear();
  await Promise.all(all.map((one) => one.close()));
}
