import { channelKey, type ChannelKey, type ChannelName } from './channel-name.js';
import type { Gap, GapReason } from './events.js';
import type { SubscriptionKindName } from './messages.js';

/** An interval in which one subscription missed messages; times in ms since the epoch. */
export interface MissedInterval {
  readonly kind: SubscriptionKindName;
  readonly name: ChannelName;
  readonly reason: GapReason;
  readonly node: string | undefined;
  readonly since: number;
  readonly until: number;
  /** How many messages, where that is known. */
  readonly count?: number;
  /** The numbered stream that they belong to, where that is known. */
  readonly stream?: string;
}

interface Batch {
  readonly names: Map<ChannelKey, ChannelName>;
  readonly reason: GapReason;
  node: string | undefined;
  since: number;
  until: number;
  count: number | undefined;
  readonly streams: Set<string>;
}

/** For this long a gap may turn out not to concern a stream. */
const WITHDRAWAL_TIMEOUT_MS = 1_000;

/** The streams of the gaps that were reported. Not a field of the gap, which is public. */
const streamsByGap = new WeakMap<Gap, ReadonlySet<string>>();

/** Whether a gap was seen in a stream for which `isKnown` is true. */
export function concernsStream(gap: Gap, isKnown: (stream: string) => boolean): boolean {
  return [...(streamsByGap.get(gap) ?? [])].some(isKnown);
}

/**
 * Combines missed intervals into one gap per kind and cause: one fault may affect thousands of channels, and a reader that
 * has stopped reading misses every message.
 *
 * It is in `common` because the reconciler and the delivery use it, and neither may import the other.
 */
export class GapBatcher {
  readonly #causes = new Map<unknown, Map<SubscriptionKindName, Batch>>();
  /** The streams of the gaps that were reported a moment ago. */
  readonly #reported = new Set<Set<string>>();

  constructor(
    private readonly listener: { gap(gap: Gap): void },
    /** Calls `flush` once all intervals of a batch have been added. */
    private readonly schedule: (flush: () => void) => unknown,
  ) {}

  /** Adds an interval to the gap of its kind and `cause`. */
  add(missed: MissedInterval, cause: unknown = missed.reason): void {
    if (this.#causes.size === 0) {
      this.schedule(this.flush);
    }
    let kinds = this.#causes.get(cause);
    if (kinds === undefined) {
      kinds = new Map();
      this.#causes.set(cause, kinds);
    }
    const batch = kinds.get(missed.kind);
    if (batch === undefined) {
      const { name, reason, node, since, until, count } = missed;
      const names = new Map([[channelKey(name), name]]);
      const streams = new Set(missed.stream === undefined ? [] : [missed.stream]);
      kinds.set(missed.kind, { names, reason, node, since, until, count, streams });
    } else {
      extend(batch, missed);
    }
  }

  /** The gaps of the last second do not concern the stream after all, see {@link concernsStream}. */
  withdraw(stream: string): void {
    for (const kinds of this.#causes.values()) {
      kinds.forEach(({ streams }) => streams.delete(stream));
    }
    this.#reported.forEach((streams) => streams.delete(stream));
  }

  #keepForAWhile(streams: Set<string>): void {
    this.#reported.add(streams);
    setTimeout(() => this.#reported.delete(streams), WITHDRAWAL_TIMEOUT_MS).unref();
  }

  /** Reports all gaps that were added. */
  readonly flush = (): void => {
    const causes = [...this.#causes.values()];
    this.#causes.clear();
    for (const [kind, { names, reason, node, since, until, count, streams }] of causes.flatMap((kinds) => [
      ...kinds,
    ])) {
      const gap: Gap = {
        kind,
        names: [...names.values()],
        node,
        since: new Date(since),
        until: new Date(until),
        ...(count !== undefined && { missed: count }),
        reason,
      };
      if (streams.size > 0) {
        streamsByGap.set(gap, streams);
        this.#keepForAWhile(streams);
      }
      this.listener.gap(gap);
    }
  };
}

function extend(batch: Batch, { name, node, since, until, count, stream }: MissedInterval): void {
  if (stream !== undefined) {
    batch.streams.add(stream);
  }
  batch.names.set(channelKey(name), name);
  batch.node = batch.node === node ? node : undefined;
  batch.since = Math.min(batch.since, since);
  batch.until = Math.max(batch.until, until);
  batch.count = count === undefined ? batch.count : (batch.count ?? 0) + count;
}
