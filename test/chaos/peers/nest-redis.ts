import { Logger } from '@nestjs/common';
import { ClientRedis, type RedisContext, ServerRedis } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { lastValueFrom, timeout } from 'rxjs';
import type {
  Channel,
  Subscription,
  OnMessage,
  Peer,
  PeerDefinition,
  PeerOptions,
  PublishResult,
  RequestResult,
} from '../peer.js';
import { aimedNode } from './aimed-node.js';

/** The request timeout of the other peers, in ms. By default the transport waits for a reply forever. */
const requestTimeout = 5_000;

/** By default the transport does not reconnect at all: here it does, soon and for longer than any scenario lasts. */
const retries = { retryAttempts: 1_000, retryDelay: 500 } as const;

/** Nest's Redis transport does not support a cluster: all processes connect to the same master. */
class NestRedisPeer implements Peer {
  readonly #servers: ServerRedis[] = [];
  readonly #client: ClientRedis;

  constructor(private readonly options: PeerOptions) {
    Logger.overrideLogger(false);
    this.#client = new ClientRedis(this.#redisOptions);
    this.#watch('client', this.#client);
  }

  async start(): Promise<void> {
    await this.#client.connect();
  }

  async subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage): Promise<void> {
    await Promise.all([
      this.#listen(subscriptions, 'channel', onMessage),
      // With `wildcards` the server takes everything for a pattern, so the plain channels have a server without.
      this.#listen(subscriptions, 'pattern', onMessage),
    ]);
  }

  async publish({ name }: Channel, payload: string): Promise<PublishResult> {
    try {
      await lastValueFrom(this.#client.emit(name, payload), { defaultValue: undefined });
      return { outcome: 'taken' };
    } catch (error) {
      return { outcome: 'failed', code: String(error) };
    }
  }

  async serve(patterns: readonly string[], handler: (data: string) => string): Promise<void> {
    const server = this.#server({});
    for (const pattern of patterns) {
      server.addHandler(pattern, (data: string) => Promise.resolve(handler(data)));
    }
    await listening(server);
  }

  async request(pattern: string, data: string): Promise<RequestResult> {
    try {
      return {
        answer: await lastValueFrom(this.#client.send<string>(pattern, data).pipe(timeout(requestTimeout))),
      };
    } catch (error) {
      const { name } = error as { name?: string };
      return { code: name ?? String(error) };
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#client, ...this.#servers].map((one) => one.close()));
  }

  get #redisOptions() {
    const { host, port } = this.options.nodes[aimedNode] ?? {};
    if (host === undefined || port === undefined) throw new Error(`No node ${aimedNode}.`);
    return { host, port, ...retries };
  }

  #server(options: { readonly wildcards?: boolean }): ServerRedis {
    const server = new ServerRedis({ ...this.#redisOptions, ...options });
    this.#servers.push(server);
    this.#watch('server', server);
    return server;
  }

  async #listen(
    subscriptions: readonly Subscription[],
    kind: Subscription['kind'],
    onMessage: OnMessage,
  ): Promise<void> {
    const server = this.#server({ wildcards: kind === 'pattern' });
    for (const subscription of subscriptions.filter((one) => one.kind === kind)) {
      const handler = (payload: string, context: RedisContext): Promise<void> => {
        onMessage(subscription, context.getChannel(), payload);
        return Promise.resolve();
      };
      server.addHandler(subscription.name, handler, true);
    }
    await listening(server);
  }

  #watch(who: string, source: ClientRedis | ServerRedis): void {
    const { log } = this.options;
    source.status.subscribe((status: string) => {
      if (status !== 'connected') log(`${who} is ${status}`);
    });
    // The first argument names the connection, one of two.
    const onError = (...about: unknown[]): void => log(`${who} error ${about.join(' ').slice(0, 120)}`);
    source.on('error', onError);
  }
}

/** Resolves when its subscriptions are confirmed. `listen` does not wait for that, but replies arrive in order. */
async function listening(server: ServerRedis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    void server.listen((error?: unknown) => {
      if (error === undefined) resolve();
      else reject(new Error('The server does not listen.', { cause: error }));
    });
  });
  const [, subscriber] = server.unwrap<[Redis, Redis]>();
  await subscriber.ping();
}

/** Nest's stock Redis transport: events on channels and patterns, and requests. */
export const nestRedis: PeerDefinition = {
  kinds: ['channel', 'pattern'],
  requests: true,
  create: (options) => new NestRedisPeer(options),
};
