import type { PubSubMessage, SubscriptionKindName, PubSubEncoding } from '../common/messages.js';
import type { Gap } from '../common/events.js';
import { isConfirmation } from './message-factory.js';
import type { ChannelName } from '../common/channel-name.js';
import { SUBSCRIPTION_KINDS } from '../common/subscription-kind.js';

interface Overflow {
  readonly since: Date;
  readonly names: Map<string, ChannelName>;
  missed: number;
}

/**
 * Gathers what a full buffer drops in one turn of the event loop into one gap a kind: a reader that has stopped reading
 * would otherwise cost an event a message.
 */
export class OverflowReport {
  readonly #overflows = new Map<SubscriptionKindName, Overflow>();

  #count = 0;

  constructor(private readonly report: (gap: Gap) => void) {}

  /** How many messages were dropped. */
  get count(): number {
    return this.#count;
  }

  /** A confirmation is no loss: who has handlers alone need not read them. */
  dropped(message: PubSubMessage<PubSubEncoding>): void {
    if (isConfirmation(message)) {
      return;
    }
    this.#count += 1;
    if (this.#overflows.size === 0) {
      setImmediate(() => {
        this.#flush();
      });
    }
    const kind =
      Object.values(SUBSCRIPTION_KINDS).find((one) => one.message === message.type) ??
      SUBSCRIPTION_KINDS.channel;
    let overflow = this.#overflows.get(kind.name);
    if (overflow === undefined) {
      overflow = { since: new Date(), names: new Map(), missed: 0 };
      this.#overflows.set(kind.name, overflow);
    }
    const name = message.pattern ?? message.channel;
    overflow.names.set(name.toString('latin1'), name);
    overflow.missed += 1;
  }

  #flush(): void {
    const until = new Date();
    const overflows = [...this.#overflows];
    this.#overflows.clear();
    for (const [kind, { since, names, missed }] of overflows) {
      this.report({
        kind,
        names: [...names.values()],
        node: undefined,
        since,
        until,
        missed,
        reason: 'buffer-overflow',
      });
    }
  }
}
