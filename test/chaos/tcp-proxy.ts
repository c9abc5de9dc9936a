import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A network between the clients and one node that can be slow, frozen (the sockets stay open and nothing passes), or cut.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #delay = 0;
  /** Pending while nothing may pass. */
  #thawed: PromiseWithResolve | undefined;

  private constructor(private readonly target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Delays every byte by `ms` each way from now on; 0 ends it. */
  slow(ms: number): void {
    this.#delay = ms;
  }

  freeze(): void {
    this.#thawed ??= promiseWithResolve();
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    this.#thawed?.resolve();
    this.#thawed = undefined;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Ends all connections; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.thaw();
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const node = connect(this.target);
    this.#forward(client, node);
    this.#forward(node, client);
  }

  #forward(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    // Bytes that were read before a freeze are held as well: they were on the network.
    let queue: Promise<unknown> = Promise.resolve();
    from.on('data', (chunk) => {
      const due = performance.now() + this.#delay;
      queue = queue
        .then(() => later(due))
        .then(() => this.#thawed?.promise)
        .then(() => to.write(chunk));
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      void queue.then(() => to.destroy());
    });
    if (this.#thawed !== undefined) from.pause();
  }
}

interface PromiseWithResolve {
  readonly promise: Promise<void>;
  resolve(): void;
}

function promiseWithResolve(): PromiseWithResolve {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

function later(due: number): Promise<void> | undefined {
  const wait = due - performance.now();
  return wait > 0 ? new Promise((resolve) => setTimeout(resolve, wait)) : undefined;
}
