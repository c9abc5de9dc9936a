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
  /**
   * Returns true while messages may arrive over two connections: a message that is early then waits up to 100 ms for the
   * ones before it. Otherwise these are reported missing at once.
   */
  mayReorder(): boolean;
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

/** Times since then fit into a small integer, for which V8 allocates nothing. */
const START = Date.now();

/** The messages of one publisher for this subscription, under one epoch. */
interface Stream<M> {
  readonly name: string;
  next: number;
  /** In ms since {@link START}. */
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
 *
 * There is one for each channel, and each message of many channels finds its own out of the processor's cache: what most
 * channels never need (a second publisher, early messages) is created when it is needed.
 */
export class Sequencer<M> {
  /** The stream of the last message: the only one of most channels. */
  #latest: Stream<M> | undefined;
  /** All streams, once there are two. A stream that buffers messages is kept, so that they are delivered in order. */
  #streams: GenerationalCache<Stream<M>> | undefined;
  /** The streams that buffer messages. */
  #buffering: Set<Stream<M>> | undefined;
  #output: FifoQueue<Output<M>> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** How many known gaps there were. */
  #resyncs = 0;
  #closed = false;

  constructor(
    private readonly listener: SequencerListener<M>,
    private readonly generationSize = 512,
  ) {}

  accept(name: string, seq: number, message: M): void {
    if (this.#closed) {
      return;
    }
    const stream = this.#latest?.name === name ? this.#latest : this.#find(name, seq);
    if (seq < stream.next) {
      this.listener.duplicate();
    } else if (stream.buffer !== undefined) {
      this.#acceptBuffered(stream, stream.buffer, seq, message);
    } else if (seq === stream.next) {
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      if (this.#output === undefined || this.#output.length === 0) {
        this.listener.deliver(message);
      } else {
        this.#push({ type: 'message', message });
        this.#flush();
      }
    } else if (seq - stream.next > MAX_GAP_MESSAGES) {
      this.listener.deliver(message); // without advancing, which would silence every message after it
    } else if (stream.resyncs === this.#resyncs && this.listener.mayReorder()) {
      this.#buffer(stream, new ReorderBuffer<M>(), seq, message);
    } else {
      this.#report(stream, seq - stream.next);
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      this.#push({ type: 'message', message });
      this.#flush();
    }
  }

  /** After a known gap: delivers what is buffered, and lets the next message of each stream pass without waiting. */
  resync(): void {
    this.#resyncs += 1;
    this.#release([...(this.#buffering ?? [])]);
  }

  /** Delivers what is buffered and accepts nothing more. */
  close(): void {
    this.#closed = true;
    this.#latest = undefined;
    this.#streams = undefined;
    this.#release([...(this.#buffering ?? [])]);
  }

  /** Once a stream buffers messages, later ones queue up behind them. */
  #acceptBuffered(stream: Stream<M>, buffer: ReorderBuffer<M>, seq: number, message: M): void {
    if (seq > stream.next) {
      this.#buffer(stream, buffer, seq, message);
      return;
    }
    advance(stream, seq);
    this.#push({ type: 'message', message });
    for (let early = buffer.take(stream.next); early !== undefined; early = buffer.take(stream.next)) {
      advance(stream, stream.next);
      this.#push({ type: 'message', message: early.message });
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
    (this.#buffering ??= new Set()).add(stream);
    if (buffer.size > MAX_BUFFERED_MESSAGES) {
      this.#release([stream]);
    } else {
      this.#timer ??= setTimeout(() => this.#expire(), REORDER_TIMEOUT_MS);
    }
  }

  #expire(): void {
    this.#timer = undefined;
    const due = performance.now() - REORDER_TIMEOUT_MS;
    this.#release(
      [...(this.#buffering ?? [])].filter(({ buffer }) => buffer !== undefined && buffer.oldest <= due),
    );
  }

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
        this.#push({ type: 'message', message });
      }
    }
    this.#rearm();
    this.#flush();
  }

  #dropBuffer(stream: Stream<M>): void {
    stream.buffer = undefined;
    this.#buffering?.delete(stream);
  }

  /** One timer serves all streams: it fires when the message that has waited longest has waited enough. */
  #rearm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let oldest = Infinity;
    for (const { buffer } of this.#buffering ?? []) {
      oldest = Math.min(oldest, buffer?.oldest ?? Infinity);
    }
    if (oldest !== Infinity) {
      const delay = Math.max(oldest + REORDER_TIMEOUT_MS - performance.now(), 0);
      this.#timer = setTimeout(() => this.#expire(), delay);
    }
  }

  #report(stream: Stream<M>, count: number): void {
    if (count > 0) {
      const report = { count, since: START + stream.lastReceivedAt, until: Date.now() };
      this.#push({ type: 'missing', report });
    }
  }

  #flush(): void {
    let failure: { readonly error: unknown } | undefined;
    for (let output = this.#output?.shift(); output !== undefined; output = this.#output?.shift()) {
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

  #push(output: Output<M>): void {
    (this.#output ??= new FifoQueue()).push(output);
  }

  /** Finds a stream other than the latest one, or starts it. */
  #find(name: string, seq: number): Stream<M> {
    let stream = this.#streams?.get(name);
    if (stream === undefined) {
      stream = { name, next: seq, lastReceivedAt: 0, resyncs: this.#resyncs, buffer: undefined };
      if (this.#latest !== undefined) {
        this.#streams ??= this.#cacheOf(this.#latest);
        this.#streams.add(name, stream);
      }
    }
    this.#latest = stream;
    return stream;
  }

  #cacheOf(first: Stream<M>): GenerationalCache<Stream<M>> {
    const cache = new GenerationalCache<Stream<M>>(this.generationSize, isBuffering);
    cache.add(first.name, first);
    return cache;
  }
}

function isBuffering({ buffer }: Stream<unknown>): boolean {
  return buffer !== undefined;
}

function advance(stream: Stream<unknown>, seq: number): void {
  stream.next = seq + 1;
  stream.lastReceivedAt = Date.now() - START;
}
