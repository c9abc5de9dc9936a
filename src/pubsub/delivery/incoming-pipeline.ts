import type { Arrival } from '../ordering/migration-dedup.js';
import type { Metrics } from '../common/metrics.js';
import type { PubSubEncoding } from '../common/messages.js';
import type { MessageDispatcher, MessageDispatcherListener } from './message-dispatcher.js';
import { GapBatcher } from '../common/gap-batcher.js';
import type { NodeKey } from '../common/node-address.js';
import { RecentMessages } from './recent-messages.js';
import {
  type MissingReport,
  Sequencer,
  type SequencerListener,
  type StreamCount,
} from '../ordering/sequencer.js';
import type { StampCodec } from '../ordering/sequence-stamp.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';

/** For this long after slots have moved, messages may overtake one another on different connections. */
const REORDERING_AFTER_MOVE_MS = 1_000;

/** Messages lost by one fault show up channel by channel, as each channel receives its next message. */
const GAP_BATCH_DELAY_MS = 50;

/** The publishers that are remembered per channel, and per pattern for all channels that it matches. */
const CHANNEL_STREAMS = 512;
const PATTERN_STREAMS = 16_384;

/**
 * The path of a message from a connection to its reader: deduplication during a migration, order of numbered messages,
 * dispatcher.
 */
export class IncomingPipeline implements SubscriptionScope {
  readonly #gaps: GapBatcher;
  readonly #recent = new RecentMessages();
  completeUntil = performance.now();
  readonly #streamCount: StreamCount = { streams: 0 };

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly stamps: StampCodec,
    readonly metrics: Metrics,
    private readonly dispatcher: MessageDispatcher<PubSubEncoding>,
    listener: Pick<MessageDispatcherListener, 'gap'>,
    /** Whether any slot has changed its master in the last `ms`. */
    private readonly hasMovedWithin: (ms: number) => boolean,
  ) {
    this.#gaps = new GapBatcher(listener, (flush) => setTimeout(flush, GAP_BATCH_DELAY_MS).unref());
  }

  receive(subscription: Subscription, node: NodeKey, channel: Buffer, data: Buffer): void {
    const { state } = subscription;
    if (state.ended && !this.registry.isLeaving(subscription, node)) {
      return; // it was refused or replaced, and its end is on the way
    }
    const arrival: Arrival = { channel, data, node };
    if (state.migration === undefined) {
      this.accept(subscription, arrival);
    } else {
      state.migration.receive(arrival);
    }
  }

  /** Accepts a message after the deduplication of a migration. */
  accept(subscription: Subscription, arrival: Arrival): void {
    const sequenced = this.stamps.decode(arrival.data);
    if (sequenced === undefined) {
      subscription.unnumbered = true;
      this.#recent.add(subscription, arrival); // a numbered one needs no memory: its number identifies duplicates
      this.deliver(subscription, arrival);
      return;
    }
    subscription.sequencer ??= this.#newSequencer(subscription);
    const { stream, seq, data } = sequenced;
    const message = data === arrival.data ? arrival : { channel: arrival.channel, data, node: arrival.node };
    subscription.sequencer.accept(stream, seq, message);
  }

  /** The unnumbered messages that the node has delivered recently for this subscription, oldest first. */
  recent(subscription: Subscription, node: NodeKey): readonly Arrival[] {
    return this.#recent.of(subscription, node);
  }

  /** Reports the gaps that were not reported yet. */
  close(): void {
    this.#gaps.flush();
  }

  deliver(subscription: Subscription, arrival: Arrival): void {
    this.metrics.received += 1;
    this.dispatcher.deliver(subscription, arrival.channel, arrival.data, arrival.node);
  }

  missing({ kind, name, state }: Subscription, report: MissingReport): void {
    this.metrics.missed += report.count;
    const completeUntil = Date.now() - (performance.now() - this.completeUntil);
    const since = Math.min(report.since, completeUntil);
    this.#gaps.add({ kind: kind.name, name, reason: 'sequence', node: state.assigned, ...report, since });
  }

  /** The gap is reported in any case: it may have others' messages too. */
  returned(stream: string): void {
    this.#gaps.withdraw(stream);
  }

  duplicate(): void {
    this.metrics.duplicates += 1;
  }

  mayReorder(subscription: Subscription): boolean {
    return subscription.state.migration !== undefined || this.hasMovedWithin(REORDERING_AFTER_MOVE_MS);
  }

  #newSequencer(subscription: Subscription): Sequencer<Arrival> {
    const isPattern = subscription.kind.name === 'pattern';
    const listener = new NumberedMessages(this, subscription);
    const generationSize = isPattern ? PATTERN_STREAMS : CHANNEL_STREAMS;
    return new Sequencer<Arrival>(listener, generationSize, this.#streamCount);
  }
}

/** The numbered messages of one subscription. A class: each closure would take memory in every subscription. */
class NumberedMessages implements SequencerListener<Arrival> {
  constructor(
    private readonly pipeline: IncomingPipeline,
    private readonly subscription: Subscription,
  ) {}

  deliver(arrival: Arrival): void {
    this.pipeline.deliver(this.subscription, arrival);
  }

  missing(report: MissingReport): void {
    this.pipeline.missing(this.subscription, report);
  }

  returned(stream: string): void {
    this.pipeline.returned(stream);
  }

  duplicate(): void {
    this.pipeline.duplicate();
  }

  mayReorder(): boolean {
    return this.pipeline.mayReorder(this.subscription);
  }
}
