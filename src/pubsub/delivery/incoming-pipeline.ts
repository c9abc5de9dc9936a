import type { Arrival } from '../ordering/migration-dedup.js';
import type { Gap } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import { MissingReports } from './missing-report.js';
import type { NodeKey } from '../common/node-address.js';
import { RecentMessages } from './recent-messages.js';
import { Sequencer, type SequencerListener } from '../ordering/sequencer.js';
import type { StampCodec } from '../ordering/sequence-stamp.js';
import type { Subscription } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';

/** How long after slots have moved a message may overtake another that comes over another connection, in ms. */
const UNSETTLED_FOR = 1_000;

/** How many publishers of one channel are remembered, and of all the channels that a pattern matches. */
const STREAMS_OF_A_CHANNEL = 512;
const STREAMS_OF_A_PATTERN = 16_384;

export interface IncomingPipelineListener {
  deliver(subscription: Subscription, arrival: Arrival): void;
  gap(gap: Gap): void;
}

/** What arrives, on its way to the reader: numbered messages are put in order first, others are handed on as they come. */
export class IncomingPipeline {
  readonly #missing: MissingReports;
  readonly #recent = new RecentMessages();

  constructor(
    private readonly stamps: StampCodec,
    private readonly topology: Topology,
    private readonly metrics: Metrics,
    private readonly events: IncomingPipelineListener,
  ) {
    this.#missing = new MissingReports((gap) => {
      events.gap(gap);
    });
  }

  take(subscription: Subscription, arrival: Arrival): void {
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
    this.#missing.flush();
  }

  #deliver(subscription: Subscription, arrival: Arrival): void {
    this.metrics.received += 1;
    this.events.deliver(subscription, arrival);
  }

  #newSequencer(subscription: Subscription): Sequencer<Arrival> {
    const events: SequencerListener<Arrival> = {
      deliver: (arrival) => {
        this.#deliver(subscription, arrival);
      },
      missing: (report) => {
        this.metrics.missed += report.count;
        this.#missing.add(subscription, report);
      },
      repeated: () => {
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
