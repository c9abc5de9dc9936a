import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { RespDecoder } from '../../src/pubsub/resp/decoder.js';

const ID = 'f'.repeat(40);

/** What a client may be sent: bytes, silence, or the end of the connection. */
export type Answer = Buffer | 'nothing' | 'close';

interface Connection {
  readonly socket: Socket;
  /** `<kind> <name>`. */
  readonly subscriptions: Set<string>;
}

/** A cluster of one node in this process, which answers in RESP2 as Redis does, unless {@link alter} says otherwise. */
export class FakeNode {
  /** Turns the true answer to a command into another one. */
  alter: (command: string, answer: Buffer) => Answer = (_command, answer) => answer;
  /** Called for each message that a client publishes. */
  onPublish: (channel: string, data: Buffer) => void = () => undefined;
  readonly #connections = new Set<Connection>();
  readonly #server: Server = createServer((socket) => this.#accept(socket));

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.#connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Delivers a message to the subscribers of a channel, and returns their number. */
  deliver(kind: 'message' | 'smessage', channel: string, data: Buffer): number {
    let count = 0;
    for (const { socket, subscriptions } of this.#connections) {
      if (subscriptions.has(`${kind === 'smessage' ? 's' : ''} ${channel}`)) {
        count += 1;
        socket.write(list(bulk(kind), bulk(channel), bulk(data)));
      }
    }
    return count;
  }

  /** The names of all subscriptions, of one kind. */
  subscribed(kind: 'message' | 'smessage'): string[] {
    const prefix = kind === 'smessage' ? 's ' : ' ';
    const all = [...this.#connections].flatMap(({ subscriptions }) => [...subscriptions]);
    return all.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length));
  }

  #accept(socket: Socket): void {
    const connection: Connection = { socket, subscriptions: new Set() };
    this.#connections.add(connection);
    const decoder = new RespDecoder((command) => this.#receive(connection, command as Buffer[]));
    socket.on('data', (chunk) => decoder.write(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#connections.delete(connection));
  }

  #receive(connection: Connection, [first, ...args]: Buffer[]): void {
    let command = first!.toString().toUpperCase();
    if (['CLUSTER', 'PUBSUB', 'CLIENT', 'COMMAND'].includes(command)) {
      command += ` ${args.shift()!.toString().toUpperCase()}`;
    }
    const answer = this.alter(command, this.#answer(connection, command, args));
    if (answer === 'close') {
      connection.socket.destroy();
    } else if (answer !== 'nothing') {
      connection.socket.write(answer);
    }
  }

  #answer({ subscriptions }: Connection, command: string, args: readonly Buffer[]): Buffer {
    const unsubscribes = /^([SP]?)UNSUBSCRIBE$/.exec(command);
    const subscribes = /^([SP]?)SUBSCRIBE$/.exec(command) ?? unsubscribes;
    if (subscribes !== null) {
      const frames = args.map((name) => {
        subscriptions[unsubscribes === null ? 'add' : 'delete'](
          `${subscribes[1]!.toLowerCase()} ${name.toString()}`,
        );
        return list(bulk(command.toLowerCase()), bulk(name), integer(subscriptions.size));
      });
      return Buffer.concat(frames);
    }
    switch (command) {
      case 'PING':
        return subscriptions.size > 0 ? list(bulk('pong'), bulk('')) : Buffer.from('+PONG\r\n');
      case 'PUBLISH':
      case 'SPUBLISH': {
        const [channel, data] = [args[0]!.toString(), args[1]!];
        this.onPublish(channel, data);
        return integer(this.deliver(command === 'PUBLISH' ? 'message' : 'smessage', channel, data));
      }
      case 'CLUSTER INFO':
        return bulk('cluster_state:ok\r\ncluster_current_epoch:1\r\n');
      case 'CLUSTER MYID':
        return bulk(ID);
      case 'CLUSTER NODES':
        return bulk(`${ID} 127.0.0.1:${String(this.port)}@1 myself,master - 0 0 1 connected 0-16383\n`);
      case 'CLUSTER SLOTS':
        return list(list(integer(0), integer(16_383), list(bulk('127.0.0.1'), integer(this.port), bulk(ID))));
      case 'COMMAND INFO':
        return list(list(bulk('spublish')));
      case 'INFO':
        return bulk('redis_version:7.0.15\r\nloading:0\r\npubsub_channels:1\r\npubsubshard_channels:1\r\n');
      case 'PUBSUB NUMPAT':
        return integer(0);
      case 'PUBSUB CHANNELS':
      case 'PUBSUB SHARDCHANNELS':
        return list(...this.subscribed(command === 'PUBSUB CHANNELS' ? 'message' : 'smessage').map(bulk));
      case 'PUBSUB NUMSUB':
      case 'PUBSUB SHARDNUMSUB':
        return list(...args.flatMap((name) => [bulk(name), integer(1)]));
      case 'HELLO':
        return Buffer.from("-ERR unknown command 'HELLO'\r\n");
      default:
        return Buffer.from('+OK\r\n');
    }
  }
}

function bulk(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from(`$${String(bytes.length)}\r\n`), bytes, Buffer.from('\r\n')]);
}

function list(...items: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`*${String(items.length)}\r\n`), ...items]);
}

function integer(value: number): Buffer {
  return Buffer.from(`:${String(value)}\r\n`);
}
