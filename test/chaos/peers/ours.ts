import { Logger } from '@nestjs/common';
import { lastValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
  type ClusterPubSubTransportEvents,
  type Gap,
} from '../../../src/index.js';
import { isRaw } from '../traffic-plan.js';
import type {
  Channel,
  GapReport,
  Subscription,
  OnGap,
  OnMessage,
  Peer,
  PeerDefinition,
  PeerOptions,
  PublishResult,
  RequestResult,
} from '../peer.js';

/** Short, so that a run does not wait half a minute for its last request, in ms. */
const requestTimeout = 5_000;

/** Names of an event that a line of the timeline shows. */
const shown = 2;

type Listen = <Event extends keyof ClusterPubSubTransportEvents>(
  event: Event,
  listener: ClusterPubSubTransportEvents[Event],
) => void;

class OurPeer implements Peer {
  readonly #pubsub: ClusterPubSub;
  /** Publishes without numbers. */
  readonly #raw: ClusterPubSub;
  #server: ClusterPubSubServer | undefined;
  #client: ClusterPubSubClient | undefined;

  constructor(private readonly options: PeerOptions) {
    this.#pubsub = new ClusterPubSub(this.#connection, {
      sequence: !options.raw,
      ignoreSubscribeMessages: true,
    });
    this.#raw = new ClusterPubSub(this.#connection);
    this.#watch('engine', this.#pubsub);
    this.#watch('raw engine', this.#raw);
  }

  async start(): Promise<void> {
    Logger.overrideLogger(false);
    await Promise.all([this.#pubsub.connect(), this.#raw.connect()]);
  }

  async subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage, onGap: OnGap): Promise<void> {
    this.#pubsub.on('gap', (gap) => onGap(readGap(gap)));
    const handlersOf = (kind: Subscription['kind']) =>
      Object.fromEntries(
        subscriptions
          .filter((subscription) => subscription.kind === kind)
          .map((subscription) => [
            subscription.name,
            ({ channel, data }: { channel: string; data: string }) => onMessage(subscription, channel, data),
          ]),
      );
    await Promise.all([
      this.#pubsub.subscribe(handlersOf('channel')),
      this.#pubsub.psubscribe(handlersOf('pattern')),
      this.#pubsub.ssubscribe(handlersOf('shard')),
    ]);
  }

  async publish({ kind, name }: Channel, payload: string): Promise<PublishResult> {
    try {
      const pubsub = isRaw(name) ? this.#raw : this.#pubsub;
      const count = await (kind === 'shard' ? pubsub.spublish(name, payload) : pubsub.publish(name, payload));
      return { outcome: 'taken', count };
    } catch (error) {
      const { code, outcome } = error as { code?: string; outcome?: 'not-delivered' | 'unknown' };
      // The new message is the one that was not sent.
      if (code === 'QUEUE_FULL') return { outcome: 'not-delivered', code };
      return { outcome: outcome ?? 'failed', code: code ?? String(error) };
    }
  }

  async serve(patterns: readonly string[], handler: (data: string) => string): Promise<void> {
    const server = (this.#server = new ClusterPubSubServer(this.#transportOptions));
    this.#watch('server', server);
    for (const pattern of patterns) {
      server.addHandler(pattern, (data: string) => Promise.resolve(handler(data)));
    }
    await new Promise<void>((resolve, reject) => {
      void server.listen((error?: unknown) => {
        if (error === undefined) resolve();
        else reject(new Error('The server does not listen.', { cause: error }));
      });
    });
  }

  async request(pattern: string, data: string): Promise<RequestResult> {
    if (this.#client === undefined) {
      this.#client = new ClusterPubSubClient(this.#transportOptions);
      this.#watch('client', this.#client);
    }
    try {
      return { answer: await lastValueFrom(this.#client.send<string>(pattern, data)) };
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string };
      return { code: code ?? name ?? String(error) };
    }
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#server?.close(),
      this.#client?.close(),
      this.#pubsub.close(),
      this.#raw.close(),
    ]);
  }

  get #connection(): ClusterPubSubOptions {
    return { nodes: [...this.options.nodes], clusterOptions: this.options.clusterOptions };
  }

  get #transportOptions(): ClusterPubSubOptions {
    return { ...this.#connection, requestTimeout, shutdownGracePeriod: 500 };
  }

  #watch(who: string, source: ClusterPubSub | ClusterPubSubServer | ClusterPubSubClient): void {
    const { log } = this.options;
    // The three emit the same events; only their types of `on` differ.
    const on: Listen = (event, listener) => void (source as ClusterPubSub).on(event, listener as never);
    on('status', (status) => log(`${who} is ${status}`));
    on('interrupted', ({ kind, names, node, reason }) =>
      log(`${who} lost ${kind} ${list(names)} at ${node ?? '?'} (${reason})`),
    );
    on('gap', (gap) => {
      const { kind, names, reason, missed } = gap;
      const took = gap.until.getTime() - gap.since.getTime();
      const counted = missed === undefined ? '' : `, ${missed} missed`;
      log(`${who} gap of ${took} ms in ${kind} ${list(names)} (${reason}${counted})`);
    });
    on('moved', ({ slots }) => {
      if (slots > 0) log(`${who} ${slots} slots moved`);
    });
    on('error', ({ code, message }) => log(`${who} error ${code}: ${message.slice(0, 120)}`));
  }
}

function readGap({ kind, names, since, until, missed, reason }: Gap): GapReport {
  return {
    kind,
    names: names.map(String),
    since: since.getTime(),
    until: until.getTime(),
    ...(missed === undefined ? {} : { missed }),
    reason,
  };
}

function list(names: readonly unknown[]): string {
  const first = names.slice(0, shown).map(String).join(', ');
  return names.length > shown ? `${first} and ${names.length - shown} more` : first;
}

/** This package. */
export const ours: PeerDefinition = {
  kinds: ['channel', 'pattern', 'shard'],
  requests: true,
  create: (options) => new OurPeer(options),
};
