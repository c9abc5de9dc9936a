import { FifoQueue } from '../../util/fifo-queue.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { ReorderBuffer } from './reorder-buffer.js';

/** Messages that did not come. */
export interface MissingReport {
  readonly count: number;
  /** When the stream was last heard, in ms since the epoch. */
  readonly since: number;
  /** When they were given up, in ms since the epoch. */
  readonly until: number;
}

/** What a sequencer tells its owner. */
export interface SequencerListener<M> {
  deliver(message: M): void;
  /** Comes between the messages before and after the hole. */
  missing(report: MissingReport): void;
  /** A message came again, or after it was given up, and was dropped. */
  repeated(): void;
}

/** How long a message waits for those before it, in ms. */
const PATIENCE = 100;

/** How many messages of one stream wait for those before them. */
const MAX_HELD = 1_000;

/** No publisher sends more in the time that a receiver can have missed without being told otherwise. */
const LONGEST_HOLE = 100_000_000;

/** One publisher's messages for this subscription, under one epoch. */
interface Stream<M> {
  next: number;
  /** When it was last heard, in ms since the epoch. */
  heardAt: number;
  /** Which of the known holes it has passed. */
  resyncs: number;
  held: ReorderBuffer<M> | undefined;
}

/** What the owner is about to be told. */
type Due<M> =
  | { readonly what: 'message'; readonly message: M }
  | { readonly what: 'missing'; readonly report: MissingReport };

/**
 * Gives out the messages of one subscription in the order in which they were published, by their stamps: drops those
 * that come again, and reports those that do not come at all.
 *
 * The first message of a stream is taken as it comes. Streams are remembered in two generations of a bounded size
 * (1,024 in all); one that was forgotten is a new one. The owner may throw, or call any method of this class from its
 * events: whatever is due is given out all the same, in order, before the first error goes on to the caller.
 */
export class Sequencer<M> {
  readonly #streams: GenerationalCache<Stream<M>>;
  /** Those that hold messages back. */
  readonly #holding = new Set<Stream<M>>();
  readonly #due = new FifoQueue<Due<M>>();
  #timer: NodeJS.Timeout | undefined;
  /** How many holes are known. */
  #resyncs = 0;
  #closed = false;

  constructor(
    private readonly events: SequencerListener<M>,
    /**
     * Whether messages may be coming over two connections just now: then one that is ahead of its time waits up to 100 ms
     * for those before it; else these are reported at once.
     */
    private readonly isPatient: () => boolean,
    generation = 512,
  ) {
    // What a stream holds back is to come out in order still.
    this.#streams = new GenerationalCache(generation, ({ held }) => held !== undefined);
  }

  /** Takes what arrived. */
  accept(name: string, seq: number, message: M): void {
    if (this.#closed) {
      return;
    }
    const stream = this.#streams.get(name) ?? this.#remember(name, seq);
    if (seq < stream.next) {
      this.events.repeated();
    } else if (stream.held !== undefined) {
      this.#acceptBehind(stream, stream.held, seq, message);
    } else if (seq === stream.next) {
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      if (this.#due.length === 0) {
        this.events.deliver(message);
      } else {
        this.#due.push({ what: 'message', message });
        this.#giveDue();
      }
    } else if (seq - stream.next > LONGEST_HOLE) {
      this.events.deliver(message); // a stamp that is damaged or forged must not silence those after it
    } else if (stream.resyncs === this.#resyncs && this.isPatient()) {
      this.#hold(stream, new ReorderBuffer<M>(), seq, message);
    } else {
      this.#report(stream, seq - stream.next);
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      this.#due.push({ what: 'message', message });
      this.#giveDue();
    }
  }

  /** A hole is known of: what is held back comes out, and the next of each stream does not wait for those before it. */
  resync(): void {
    this.#resyncs += 1;
    this.#release([...this.#holding]);
  }

  /** Gives out what is held back, and takes nothing more. */
  close(): void {
    this.#closed = true;
    this.#streams.clear();
    this.#release([...this.#holding]);
  }

  /** Once a stream holds messages back, the later ones queue up behind them. */
  #acceptBehind(stream: Stream<M>, held: ReorderBuffer<M>, seq: number, message: M): void {
    if (seq > stream.next) {
      this.#hold(stream, held, seq, message);
      return;
    }
    advance(stream, seq);
    this.#due.push({ what: 'message', message });
    for (let early = held.take(stream.next); early !== undefined; early = held.take(stream.next)) {
      advance(stream, stream.next);
      this.#due.push({ what: 'message', message: early.message });
    }
    if (held.size === 0) {
      this.#holdsNoMore(stream);
      this.#rearm();
    }
    this.#giveDue();
  }

  #hold(stream: Stream<M>, held: ReorderBuffer<M>, seq: number, message: M): void {
    if (!held.add(seq, message)) {
      this.events.repeated();
      return;
    }
    stream.held = held;
    this.#holding.add(stream);
    if (held.size > MAX_HELD) {
      this.#release([stream]);
    } else {
      this.#timer ??= setTimeout(this.#expire, PATIENCE);
    }
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const due = performance.now() - PATIENCE;
    this.#release([...this.#holding].filter(({ held }) => held !== undefined && held.oldest <= due));
  };

  /** Gives out what these hold back, each behind a report of what it waited for in vain. */
  #release(streams: readonly Stream<M>[]): void {
    for (const stream of streams) {
      const early = stream.held?.drain() ?? [];
      this.#holdsNoMore(stream);
      const last = early.at(-1);
      if (last !== undefined) {
        this.#report(stream, last[0] + 1 - stream.next - early.length);
        advance(stream, last[0]);
      }
      for (const [, message] of early) {
        this.#due.push({ what: 'message', message });
      }
    }
    this.#rearm();
    this.#giveDue();
  }

  #holdsNoMore(stream: Stream<M>): void {
    stream.held = undefined;
    this.#holding.delete(stream);
  }

  /** One timer for all: it fires when the one that waits longest has waited enough. */
  #rearm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let oldest = Infinity;
    for (const { held } of this.#holding) {
      oldest = Math.min(oldest, held?.oldest ?? Infinity);
    }
    if (oldest !== Infinity) {
      this.#timer = setTimeout(this.#expire, Math.max(oldest + PATIENCE - performance.now(), 0));
    }
  }

  #report(stream: Stream<M>, count: number): void {
    if (count > 0) {
      const report = { count, since: stream.heardAt, until: Date.now() };
      this.#due.push({ what: 'missing', report });
    }
  }

  #giveDue(): void {
    let failure: { readonly error: unknown } | undefined;
    for (let due = this.#due.shift(); due !== undefined; due = this.#due.shift()) {
      try {
        if (due.what === 'message') {
          this.events.deliver(due.message);
        } else {
          this.events.missing(due.report);
        }
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) {
      throw failure.error;
    }
  }

  #remember(name: string, seq: number): Stream<M> {
    const stream = { next: seq, heardAt: 0, resyncs: this.#resyncs, held: undefined };
    this.#streams.add(name, stream);
    return stream;
  }
}

function advance(stream: Stream<unknown>, seq: number): void {
  stream.next = seq + 1;
  stream.heardAt = Date.now();
}
