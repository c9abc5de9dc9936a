import { createServer, connect, type Server, type Socket } from 'node:net';

/** A server reports after this many events, and the rest after this many ms. */
const every = 128;
const interval = 5;

/**
 * Receives the counts of handled events over a local socket, for any arm. They bound the emitter and show losses,
 * neither of which the transport itself would do.
 */
export class ReceiptsReader {
  readonly #server: Server;
  readonly #counts = new Map<Socket, { reported: number; before: number }>();
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

  /** The count of the server that has received the fewest. */
  get lowest(): number {
    let lowest = Infinity;
    for (const { reported, before } of this.#counts.values()) lowest = Math.min(lowest, reported - before);
    return lowest;
  }

  /** Restarts the counts at 0. */
  reset(): void {
    for (const count of this.#counts.values()) count.before = count.reported;
  }

  close(): void {
    for (const socket of this.#counts.keys()) socket.destroy();
    this.#server.close();
  }

  #read(socket: Socket): void {
    const count = { reported: 0, before: 0 };
    this.#counts.set(socket, count);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % 8);
      rest = bytes.subarray(whole);
      if (whole === 0) return;
      count.reported = bytes.readDoubleLE(whole - 8);
      this.#onChange();
    });
  }
}

/** The server's end: counts handled events. Connects with the first event, because servers start before their clients. */
export class ReceiptsWriter {
  #socket: Socket | undefined;
  readonly #timer: NodeJS.Timeout;
  #reported = 0;
  #count = 0;

  constructor(private readonly path: string) {
    this.#timer = setInterval(() => this.#report(), interval);
  }

  add(): void {
    this.#count += 1;
    if (this.#count - this.#reported >= every) this.#report();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.destroy();
  }

  #report(): void {
    if (this.#count === this.#reported) return;
    this.#reported = this.#count;
    this.#socket ??= connect(this.path).on('error', () => undefined);
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(this.#count);
    this.#socket.write(bytes);
  }
}
