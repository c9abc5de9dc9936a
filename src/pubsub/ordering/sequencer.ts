import { FifoQueue } from '../../util/fifo-queue.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { ReorderBuffer } from './reorder-buffer.js';
import {
  disprovesStep,
  forgetSteps,
  isPossibleStep,
  MAX_STEP,
  noteReturn,
  noteStep,
  START,
  startStream,
  type Stream,
} from './stream.js';

/** Messages that did not arrive. */
export interface MissingReport {
  readonly stream: string;
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
  /** The last report of this stream was false: messages that it counts arrive. */
  returned(stream: string): void;
  /** A message arrived again, or after it was reported missing, and was dropped. */
  duplicate(): void;
}

/** How long a message waits for earlier ones, in ms. */
const REORDER_TIMEOUT_MS = 100;

/** The most messages of one stream that wait for earlier ones. */
const MAX_BUFFERED_MESSAGES = MAX_STEP;

/** How many streams all sequencers of an engine may remember beyond the latest of each: some 16 MB. */
const MAX_STREAMS = 65_536;

/** The streams that several sequencers remember together: each has a bound of its own, and there may be many. */
export interface StreamCount {
  streams: number;
}

/** A call to the listener that is about to be made. */
type Output<M> =
  | { readonly type: 'message'; readonly message: M }
  | { readonly type: 'missing'; readonly report: MissingReport };

/**
 * Puts the messages of one subscription into the order in which they were published, by their stamps. Drops duplicates
 * and reports messages that do not arrive.
 *
 * The first message of a stream sets where it starts. A stamp is not a proof of who sent it, so no single one moves a
 * stream for good: it returns to its old place when that goes on, unless more has come from the new one, see
 * docs/adr/0023. Streams are remembered in two generations of a bounded size; a stream that was forgotten starts anew. The
 * listener may throw, or call any method of this class: all pending output is still delivered, in order, before the first
 * error is rethrown to the caller.
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
  /** After a blocked event loop, what is waited for may be in the socket: timers run before sockets are read. */
  readonly #expireSoon = (): void => void setImmediate(() => this.#expire());

  constructor(
    private readonly listener: SequencerListener<M>,
    private readonly generationSize = 512,
    private readonly total: StreamCount = { streams: 0 },
  ) {}

  accept(name: string, seq: number, message: M): void {
    if (this.#closed) {
      return;
    }
    const stream = this.#latest?.name === name ? this.#latest : this.#find(name, seq);
    if (seq < stream.next) {
      this.#acceptEarlier(stream, seq, message);
    } else if (seq === stream.next && stream.buffer === undefined) {
      stream.resyncs = this.#resyncs;
      advance(stream, seq);
      if (this.#output === undefined || this.#output.length === 0) {
        this.listener.deliver(message);
      } else {
        this.#push({ type: 'message', message });
        this.#flush();
      }
    } else {
      this.#acceptLater(stream, seq, message);
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
    this.total.streams -= this.#streams?.count ?? 0;
    this.#streams = undefined;
    this.#release([...(this.#buffering ?? [])]);
  }

  /** A message behind the place of its stream: a duplicate, late, or the proof that the last step was false. */
  #acceptEarlier(stream: Stream<M>, seq: number, message: M): void {
    if (!disprovesStep(stream, seq, this.listener)) {
      this.listener.duplicate();
      return;
    }
    this.#release([stream]);
    noteReturn(stream, seq);
    advance(stream, seq);
    this.listener.returned(stream.name);
    this.#push({ type: 'message', message });
    this.#flush();
  }

  /** A message after others that have not arrived. */
  #acceptLater(stream: Stream<M>, seq: number, message: M): void {
    const { buffer } = stream;
    const step = seq - Math.max(stream.next, buffer?.highest ?? 0);
    const isAfterGap = stream.resyncs !== this.#resyncs;
    if (step > MAX_STEP && seq === stream.claim - 1) {
      this.listener.duplicate();
    } else if (step > MAX_STEP && !(isPossibleStep(stream, step) && (isAfterGap || seq === stream.claim))) {
      stream.claim = isPossibleStep(stream, step) ? seq + 1 : -1;
      this.#push({ type: 'message', message }); // without advancing, which would silence the messages of the old place
      this.#flush();
    } else if (step > MAX_STEP) {
      this.#release([stream]);
      this.#step(stream, seq, message, isAfterGap ? 0 : 1);
    } else if (buffer !== undefined) {
      this.#acceptBuffered(stream, buffer, seq, message);
    } else if (!isAfterGap && this.listener.mayReorder()) {
      this.#buffer(stream, new ReorderBuffer<M>(), seq, message);
    } else {
      this.#step(stream, seq, message, 0);
    }
  }

  /** Goes on at `seq`, of whose predecessors some were `delivered`. */
  #step(stream: Stream<M>, seq: number, message: M, delivered: number): void {
    this.#report(stream, seq - stream.next - delivered);
    noteStep(stream, seq - delivered);
    stream.resyncs = this.#resyncs;
    advance(stream, seq);
    this.#push({ type: 'message', message });
    this.#flush();
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
      this.#timer ??= setTimeout(this.#expireSoon, REORDER_TIMEOUT_MS);
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
        forgetSteps(stream); // over two connections a message may be late, and order is kept: it is dropped
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
      this.#timer = setTimeout(this.#expireSoon, delay);
    }
  }

  #report(stream: Stream<M>, count: number): void {
    if (count > 0) {
      const report = { stream: stream.name, count, since: START + stream.lastReceivedAt, until: Date.now() };
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
      stream = startStream<M>(name, seq, this.#resyncs);
      if (this.#latest !== undefined) {
        this.#remember(stream, this.#latest);
      }
    }
    this.#latest = stream;
    return stream;
  }

  #remember(stream: Stream<M>, latest: Stream<M>): void {
    const before = this.#streams?.count ?? 0;
    if (this.#streams === undefined) {
      this.#streams = new GenerationalCache<Stream<M>>(this.generationSize, isBuffering);
      this.#streams.add(latest.name, latest);
    }
    this.#streams.add(stream.name, stream);
    if (this.total.streams > MAX_STREAMS) {
      this.#streams.shed();
    }
    this.total.streams += this.#streams.count - before;
  }
}

function isBuffering({ buffer }: Stream<unknown>): boolean {
  return buffer !== undefined;
}

function advance(stream: Stream<unknown>, seq: number): void {
  stream.next = seq + 1;
  stream.lastReceivedAt = Date.now() - START;
}
