import { createServer, connect, type Server, type Socket } from 'node:net';

/** A server tells of every so many events, and of the rest after so many ms. */
const every = 128;
const interval = 5;

/**
 * How an emitter hears what has been received, of any arm: a count over a local socket. It is what bounds the emitter,
 * and what shows a loss; the transport itself would say neither.
 */
export class ReceiptsReader {
  readonly #server: Server;
  readonly #counts = new Map<Socket, { told: number; before: number }>();
  #onChange: () => void = () => undefined;

  constructor(path: string) {
    this.#server = createServer((socket) => this.#read(socket)).listen(path);
  }

  set onChange(listener: () => void) {
    this.#onChange = listener;
  }

  /** How many servers report. */
  get size(): number {
    return this.#counts.size;
  }

  /** Of the server that has received the fewest. */
  get lowest(): number {
    let lowest = Infinity;
    for (const { told, before } of this.#counts.values()) lowest = Math.min(lowest, told - before);
    return lowest;
  }

  /** Counts anew from now on. */
  reset(): void {
    for (const count of this.#counts.values()) count.before = count.told;
  }

  close(): void {
    for (const socket of this.#counts.keys()) socket.destroy();
    this.#server.close();
  }

  #read(socket: Socket): void {
    const count = { told: 0, before: 0 };
    this.#counts.set(socket, count);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % 8);
      rest = bytes.subarray(whole);
      if (whole === 0) return;
      count.told = bytes.readDoubleLE(whole - 8);
      this.#onChange();
    });
  }
}

/** The other end: counts what is handled. Connects with the first event, for servers start before their clients. */
export class ReceiptsWriter {
  #socket: Socket | undefined;
  readonly #timer: NodeJS.Timeout;
  #told = 0;
  #count = 0;

  constructor(private readonly path: string) {
    this.#timer = setInterval(() => this.#tell(), interval);
  }

  add(): void {
    this.#count += 1;
    if (this.#count - this.#told >= every) this.#tell();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.destroy();
  }

  #tell(): void {
    if (this.#count === this.#told) return;
    this.#told = this.#count;
    this.#socket ??= connect(this.path).on('error', () => undefined);
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(this.#count);
    this.#socket.write(bytes);
  }
}
