import type { ArmClient } from '../arm.js';
import { loadArm } from '../arms/index.js';
import { ClosedLoop } from '../loads/closed-loop.js';
import { EventStream } from '../loads/event-stream.js';
import { FixedRate } from '../loads/fixed-rate.js';
import type { RunningLoad } from '../loads/running-load.js';
import type { ClientSetup, Load, Mark, Outcome } from './protocol.js';
import { ReceiptsReader } from './receipts.js';
import { selfMark } from './self.js';

/** Sends requests and events, one load after another. */
export class ClientMember {
  readonly #receipts: ReceiptsReader | undefined;
  #client: ArmClient | undefined;
  #load: RunningLoad | undefined;

  constructor(private readonly setup: ClientSetup) {
    this.#receipts = setup.receipts === undefined ? undefined : new ReceiptsReader(setup.receipts);
  }

  async start(): Promise<void> {
    const { connect } = await loadArm(this.setup.arm);
    this.#client = await connect(this.setup.place);
  }

  async begin(load: Load): Promise<void> {
    if (this.#client === undefined) throw new Error('connect first');
    this.#load = this.#make(load, this.#client);
    await this.#load.begin();
  }

  mark(): Mark {
    return {
      ...selfMark(),
      done: this.#load?.done ?? 0,
      arrivals: this.#client?.arrivals?.(),
      latency: this.#load?.latency?.(),
    };
  }

  async stop(): Promise<Outcome> {
    if (this.#load === undefined) throw new Error('begin first');
    return this.#load.stop();
  }

  async close(): Promise<void> {
    this.#receipts?.close();
    await this.#client?.close();
  }

  #make(load: Load, client: ArmClient): RunningLoad {
    switch (load.kind) {
      case 'requests':
        return new ClosedLoop(client, load);
      case 'rate':
        return new FixedRate(client, load);
      case 'events':
        if (this.#receipts === undefined) throw new Error('events need receipts');
        return new EventStream(client, load, this.#receipts);
    }
  }
}
