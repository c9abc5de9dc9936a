import type { SubscriptionKindName } from '../common/messages.js';
import type { Gap } from '../common/events.js';
import type { ChannelName } from '../common/channel-name.js';
import type { MissingReport } from '../ordering/sequencer.js';
import type { Subscription } from '../subscription/subscription.js';

/** How long reports are gathered, in ms: what one fault has lost shows channel by channel, as each is heard again. */
const GATHER = 50;

interface Missing {
  readonly names: Set<ChannelName>;
  since: number;
  until: number;
  missed: number;
  node: string | undefined;
}

/** Gathers what is missing by its numbers into one gap a kind: a fault would otherwise cost an event a channel. */
export class MissingReports {
  readonly #gathered = new Map<SubscriptionKindName, Missing>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly report: (gap: Gap) => void) {}

  add({ kind, name, assigned }: Subscription, { count, since, until }: MissingReport): void {
    const missing = this.#gathered.get(kind.name);
    if (missing === undefined) {
      this.#gathered.set(kind.name, { names: new Set([name]), since, until, missed: count, node: assigned });
    } else {
      missing.names.add(name);
      missing.since = Math.min(missing.since, since);
      missing.until = Math.max(missing.until, until);
      missing.missed += count;
      missing.node = missing.node === assigned ? assigned : undefined;
    }
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, GATHER);
  }

  /** Tells what was gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gathered = [...this.#gathered];
    this.#gathered.clear();
    for (const [kind, { names, since, until, missed, node }] of gathered) {
      this.report({
        kind,
        names: [...names],
        node,
        since: new Date(since),
        until: new Date(until),
        missed,
        reason: 'sequence',
      });
    }
  }
}
