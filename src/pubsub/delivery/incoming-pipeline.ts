import type { Arrival } from '../ordering/migration-dedup.js';
import type { ChannelKey } from '../common/channel-name.js';
import type { Metrics } from '../common/metrics.js';
import type { PubSubEncoding } from '../common/messages.js';
import type { MessageDispatcher, MessageDispatcherListener } from './message-dispatcher.js';
import { GapBatcher } from '../common/gap-batcher.js';
import type { NodeKey } from '../common/node-address.js';
import { RecentMessages } from './recent-messages.js';
import { Sequencer, type SequencerListener } from '../ordering/sequencer.js';
import type { StampCodec } from '../ordering/sequence-stamp.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';
import type { Subscription, SubscriptionRegistry } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';

/** How long after slots have moved a message may overtake another that comes over another connection, in ms. */
const UNSETTLED_FOR = 1_000;

/** Messages lost by one fault show up channel by channel, as each channel receives its next message. */
const GAP_BATCH_DELAY_MS = 50;

/** How many publishers of one channel are remembered, and of all the channels that a pattern matches. */
const STREAMS_OF_A_CHANNEL = 512;
const STREAMS_OF_A_PATTERN = 16_384;

/**
 * The way of a message from a connection to its reader: registry, deduplication while the subscription migrates, order of
 * numbered messages, dispatcher.
 */
export class IncomingPipeline {
  readonly #gaps: GapBatcher;
  readonly #recent = new RecentMessages();

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly stamps: StampCodec,
    private readonly topology: Topology,
    private readonly metrics: Metrics,
    private readonly dispatcher: MessageDispatcher<PubSubEncoding>,
    listener: Pick<MessageDispatcherListener, 'gap'>,
  ) {
    this.#gaps = new GapBatcher(listener, (flush) => setTimeout(flush, GAP_BATCH_DELAY_MS).unref());
  }

  /**
   * Takes a message from the connection to `node`; `match` is the name it was subscribed under. Returns false when nobody
   * is subscribed to it.
   */
  receive(node: NodeKey, kind: SubscriptionKind, match: ChannelKey, channel: Buffer, data: Buffer): boolean {
    const subscription = this.registry.receiver(kind.name, match, node);
    if (subscription === undefined) {
      return false;
    }
    const arrival: Arrival = { channel, data, node };
    if (subscription.migration === undefined) {
      this.accept(subscription, arrival);
    } else {
      subscription.migration.receive(arrival);
    }
    return true;
  }

  /** Takes a message that is known to be no copy from the other node of a migration. */
  accept(subscription: Subscription, arrival: Arrival): void {
    const stamped = this.stamps.decode(arrival.data);
    if (stamped === undefined) {
      subscription.unnumbered = true;
      this.#recent.note(subscription, arrival); // a second copy of a numbered one is known by its number
      this.#deliver(subscription, arrival);
      return;
    }
    subscription.sequencer ??= this.#newSequencer(subscription);
    const { data } = stamped;
    const opened = data === arrival.data ? arrival : { channel: arrival.channel, data, node: arrival.node };
    subscription.sequencer.accept(stamped.stream, stamped.seq, opened);
  }

  /** What the node has delivered of it lately without a number, oldest first. */
  recent(subscription: Subscription, node: NodeKey): readonly Arrival[] {
    return this.#recent.of(subscription, node);
  }

  /** Tells what is missing and was not told yet. */
  close(): void {
    this.#gaps.flush();
  }

  #deliver(subscription: Subscription, arrival: Arrival): void {
    this.metrics.received += 1;
    this.dispatcher.deliver(subscription, arrival.channel, arrival.data, arrival.node);
  }

  #newSequencer(subscription: Subscription): Sequencer<Arrival> {
    const events: SequencerListener<Arrival> = {
      deliver: (arrival) => {
        this.#deliver(subscription, arrival);
      },
      missing: (report) => {
        this.metrics.missed += report.count;
        const { kind, name, assigned: node } = subscription;
        this.#gaps.add({ kind: kind.name, name, reason: 'sequence', node, ...report });
      },
      duplicate: () => {
        this.metrics.duplicates += 1;
      },
    };
    const isPattern = subscription.kind.name === 'pattern';
    const isUnsettled = (): boolean =>
      subscription.migration !== undefined || this.topology.changedWithin(UNSETTLED_FOR);
    return new Sequencer<Arrival>(
      events,
      isUnsettled,
      isPattern ? STREAMS_OF_A_PATTERN : STREAMS_OF_A_CHANNEL,
    );
  }
}
