import { FifoQueue } from '../../util/fifo-queue.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { ReorderBuffer } from './reorder-buffer.js';

/** Messages that did not arrive. */
export interface MissingReport {
  readonly count: number;
  /** When the last message before them arrived, in ms since the epoch. */
  readonly since: number;
  /** When the wait for them ended, in ms since the epoch. */
  readonly until: number;
}

export interface SequencerListener<M> {
  deliver(message: M): void;
  /** Called between the messages before and after the gap. */
  missing(report: MissingReport): void;
  /** A message arrived again, or after it was reported missing, and was dropped. */
  duplicate(): void;
}

/** How long a message waits for earlier ones, in ms. */
const REORDER_TIMEOUT_MS = 100;

/** The most messages of one stream that wait for earlier ones. */
const MAX_BUFFERED_MESSAGES = 1_000;

/** A larger step in the sequence is taken for a damaged or forged stamp: no publisher sends so many unnoticed. */
const MAX_GAP_MESSAGES = 100_000_000;

/** The messages of one publisher for this subscription, under one epoch. */
interface Stream<M> {
  next: number;
  /** In ms since the epoch. */
  lastReceivedAt: number;
  /** The value of `Sequencer.#resyncs` when its last message arrived. */
  resyncs: number;
  buffer: ReorderBuffer<M> | undefined;
}

/** A call to the listener that is about to be made. */
type Output<M> =
  | { readonly type: 'message'; readonly message: M }
  | { readonly type: 'missing'; readonly report: MissingReport };

/**
 * Puts the messages of one subscription into the order in which they were published, by their stamps. Drops duplicates
 * and reports messages that do not arrive.
 *
 * The first message of a stream sets where it starts. Streams are remembered in two generations of a bounded size; a
 * stream that was forgotten starts anew. The listener may throw, or call any method of this class: all pending output is
 * still delivered, in order, before the first error is rethrown to the caller.
 */
export class Sequencer<M> {
  readonly #streams: GenerationalCache<Stream<M>>;
  /** The streams that buffer messages. */
  readonly #buffering = new Set<Stream<M>>();
  readonly #output = new FifoQueue<Output<M>>();
  #timer: NodeJS.Timeout | undefined;
  /** How many known gaps there were. */
  #resyncs = 0;
  #closed = false;

  constructor(
    private readonly listener: SequencerListener<M>,
    /**
     * Returns true while messages may arrive over two connections: a message that is early then waits up to 100 ms for
     * the ones before it. Otherwise these are reported missing at once.
     */
    private readonly mayReorder: () => boolean,
    generationSize = 512,
  ) {
    // A stream that buffers messages is kept, so that they are delivered in order.
    this.#streams = new GenerationalCache(generationSize, ({ buffer }) => buffer !== undefined);
  }

  accept(name: string, seq: number, message: M): void {
    if (this.#closed) {
      return;
    }
    const stream = this.#streams.get(name) ?? this.#remember(name, seq);
    if (seq < stream.next) {
      this.listener.duplicate();
    } else if (stream.buffer !== undefined) {
      this.#acceptBuffered(stream, stream.buffer, seq, message);
    } else if (seq === stream.next) {
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      if (this.#output.length === 0) {
        this.listener.deliver(message);
      } else {
        this.#output.push({ type: 'message', message });
        this.#flush();
      }
    } else if (seq - stream.next > MAX_GAP_MESSAGES) {
      this.listener.deliver(message); // without advancing, which would silence every message after it
    } else if (stream.resyncs === this.#resyncs && this.mayReorder()) {
      this.#buffer(stream, new ReorderBuffer<M>(), seq, message);
    } else {
      this.#report(stream, seq - stream.next);
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      this.#output.push({ type: 'message', message });
      this.#flush();
    }
  }

  /** After a known gap: delivers what is buffered, and lets the next message of each stream pass without waiting. */
  resync(): void {
    this.#resyncs += 1;
    this.#release([...this.#buffering]);
  }

  /** Delivers what is buffered and accepts nothing more. */
  close(): void {
    this.#closed = true;
    this.#streams.clear();
    this.#release([...this.#buffering]);
  }

  /** Once a stream buffers messages, later ones queue up behind them. */
  #acceptBuffered(stream: Stream<M>, buffer: ReorderBuffer<M>, seq: number, message: M): void {
    if (seq > stream.next) {
      this.#buffer(stream, buffer, seq, message);
      return;
    }
    advance(stream, seq);
    this.#output.push({ type: 'message', message });
    for (let early = buffer.take(stream.next); early !== undefined; early = buffer.take(stream.next)) {
      advance(stream, stream.next);
      this.#output.push({ type: 'message', message: early.message });
    }
    if (buffer.size === 0) {
      this.#dropBuffer(stream);
      this.#rearm();
    }
    this.#flush();
  }

  #buffer(stream: Stream<M>, buffer: ReorderBuffer<M>, seq: number, message: M): void {
    if (!buffer.add(seq, message)) {
      this.listener.duplicate();
      return;
    }
    stream.buffer = buffer;
    this.#buffering.add(stream);
    if (buffer.size > MAX_BUFFERED_MESSAGES) {
      this.#release([stream]);
    } else {
      this.#timer ??= setTimeout(this.#expire, REORDER_TIMEOUT_MS);
    }
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const due = performance.now() - REORDER_TIMEOUT_MS;
    this.#release([...this.#buffering].filter(({ buffer }) => buffer !== undefined && buffer.oldest <= due));
  };

  /** Delivers what these streams buffer, each after a report of the messages that did not arrive. */
  #release(streams: readonly Stream<M>[]): void {
    for (const stream of streams) {
      const early = stream.buffer?.drain() ?? [];
      this.#dropBuffer(stream);
      const last = early.at(-1);
      if (last !== undefined) {
        this.#report(stream, last[0] + 1 - stream.next - early.length);
        advance(stream, last[0]);
      }
      for (const [, message] of early) {
        this.#output.push({ type: 'message', message });
      }
    }
    this.#rearm();
    this.#flush();
  }

  #dropBuffer(stream: Stream<M>): void {
    stream.buffer = undefined;
    this.#buffering.delete(stream);
  }

  /** One timer serves all streams: it fires when the message that has waited longest has waited enough. */
  #rearm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let oldest = Infinity;
    for (const { buffer } of this.#buffering) {
      oldest = Math.min(oldest, buffer?.oldest ?? Infinity);
    }
    if (oldest !== Infinity) {
      const delay = Math.max(oldest + REORDER_TIMEOUT_MS - performance.now(), 0);
      this.#timer = setTimeout(this.#expire, delay);
    }
  }

  #report(stream: Stream<M>, count: number): void {
    if (count > 0) {
      const report = { count, since: stream.lastReceivedAt, until: Date.now() };
      this.#output.push({ type: 'missing', report });
    }
  }

  #flush(): void {
    let failure: { readonly error: unknown } | undefined;
    for (let output = this.#output.shift(); output !== undefined; output = this.#output.shift()) {
      try {
        if (output.type === 'message') {
          this.listener.deliver(output.message);
        } else {
          this.listener.missing(output.report);
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
    const stream = { next: seq, lastReceivedAt: 0, resyncs: this.#resyncs, buffer: undefined };
    this.#streams.add(name, stream);
    return stream;
  }
}

function advance(stream: Stream<unknown>, seq: number): void {
  stream.next = seq + 1;
  stream.lastReceivedAt = Date.now();
}
