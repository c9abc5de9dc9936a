import { loadArm } from '../arms/index.js';
import type { Mark, ServerSetup } from './protocol.js';
import { ReceiptsWriter } from './receipts.js';
import { selfMark } from './self.js';

/** Echoes every request, and counts the events. */
export class ServerMember {
  readonly #receipts: ReceiptsWriter | undefined;
  #handled = 0;
  #server: { close(): Promise<void> } | undefined;

  constructor(private readonly setup: ServerSetup) {
    this.#receipts = setup.receipts === undefined ? undefined : new ReceiptsWriter(setup.receipts);
  }

  async start(): Promise<void> {
    const { arm, place, requests, events } = this.setup;
    const { serve } = await loadArm(arm);
    this.#server = await serve(place, {
      requests,
      events,
      onRequest: (data) => {
        this.#handled += 1;
        return data;
      },
      onEvent: () => {
        this.#handled += 1;
        this.#receipts?.add();
      },
    });
  }

  mark(): Mark {
    return { ...selfMark(), done: this.#handled, arrivals: undefined, latency: undefined };
  }

  async close(): Promise<void> {
    this.#receipts?.close();
    await this.#server?.close();
  }
}
