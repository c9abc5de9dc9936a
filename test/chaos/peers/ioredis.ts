import { once } from 'node:events';
import { Cluster, type ClusterOptions, Redis } from 'ioredis';
import type {
  Channel,
  Subscription,
  OnMessage,
  Peer,
  PeerDefinition,
  PeerOptions,
  PublishResult,
} from '../peer.js';
import { aimedNode } from './aimed-node.js';

/** The events by which ioredis reports trouble. It has none for a subscription that is missing. */
const signs = [
  'error',
  'node error',
  'nodeError',
  '-node',
  '-subscriber',
  'close',
  'reconnecting',
  'end',
] as const;

/** Attempts to get a subscriber connection to the aimed node; ioredis chooses one node of six at random. */
const tries = 60;

/** As in its documentation: retries, offline queue and `autoResubscribe` are on by default. */
abstract class IoredisPeer implements Peer {
  protected cluster: Cluster;

  constructor(
    private readonly options: PeerOptions,
    private readonly mode: ClusterOptions,
  ) {
    this.cluster = this.connect();
  }

  async start(): Promise<void> {
    await ready(this.cluster);
    this.#watch();
  }

  abstract subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage): Promise<void>;
  protected abstract send(channel: string, payload: string): Promise<number>;

  async publish({ name }: Channel, payload: string): Promise<PublishResult> {
    try {
      return { outcome: 'taken', count: await this.send(name, payload) };
    } catch (error) {
      return { outcome: 'failed', code: String(error) };
    }
  }

  close(): Promise<void> {
    this.cluster.disconnect();
    return Promise.resolve();
  }

  protected connect(): Cluster {
    return new Cluster([...this.options.nodes], {
      slotsRefreshInterval: 1_000,
      ...this.options.clusterOptions,
      ...this.mode,
    });
  }

  /**
   * Connects until `probe` is subscribed at the node that the faults hit: a random node would be spared in most runs, and
   * the table would show no fault.
   */
  protected async connectToAimedNode(probe: string): Promise<void> {
    const { host, port } = this.options.nodes[aimedNode] ?? {};
    if (host === undefined || port === undefined) throw new Error(`No node ${aimedNode}.`);
    const node = new Redis({ host, port });
    try {
      for (let time = 0; time < tries; time++) {
        await this.cluster.subscribe(probe);
        const [, count] = (await node.pubsub('NUMSUB', probe)) as [string, number];
        await this.cluster.unsubscribe(probe);
        if (count > 0) return;
        this.cluster.removeAllListeners();
        this.cluster.disconnect();
        this.cluster = this.connect();
        await this.start();
      }
      throw new Error(`The subscriber connection is not at node ${aimedNode} after ${tries} attempts.`);
    } finally {
      node.disconnect();
    }
  }

  #watch(): void {
    for (const sign of signs) {
      this.cluster.on(sign, (about: unknown) => {
        this.options.log(about instanceof Error ? `${sign}: ${about.message.slice(0, 120)}` : sign);
      });
    }
  }
}

class ShardedPeer extends IoredisPeer {
  constructor(options: PeerOptions) {
    super(options, { shardedSubscribers: true });
  }

  async subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage): Promise<void> {
    const subscriptionOf = byName(subscriptions);
    this.cluster.on('smessage', (channel: string, payload: string) => {
      const subscription = subscriptionOf.get(channel);
      if (subscription !== undefined) onMessage(subscription, channel, payload);
    });
    // One by one: the channels of one call must share a slot.
    await Promise.all(subscriptions.map(({ name }) => this.cluster.ssubscribe(name)));
  }

  protected async send(channel: string, payload: string): Promise<number> {
    return Number(await this.cluster.spublish(channel, payload));
  }
}

class ClassicPeer extends IoredisPeer {
  constructor(options: PeerOptions) {
    super(options, {});
  }

  async subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage): Promise<void> {
    await this.connectToAimedNode(`chaos.probe.${process.pid}`);
    const subscriptionOf = byName(subscriptions);
    this.cluster.on('message', (channel: string, payload: string) => {
      const subscription = subscriptionOf.get(channel);
      if (subscription !== undefined) onMessage(subscription, channel, payload);
    });
    this.cluster.on('pmessage', (pattern: string, channel: string, payload: string) => {
      const subscription = subscriptionOf.get(pattern);
      if (subscription !== undefined) onMessage(subscription, channel, payload);
    });
    const named = (kind: Subscription['kind']) =>
      subscriptions.filter((subscription) => subscription.kind === kind).map(({ name }) => name);
    await this.cluster.subscribe(...named('channel'));
    await this.cluster.psubscribe(...named('pattern'));
  }

  protected send(channel: string, payload: string): Promise<number> {
    return this.cluster.publish(channel, payload);
  }
}

async function ready(cluster: Cluster): Promise<void> {
  if (cluster.status !== 'ready') await once(cluster, 'ready');
}

function byName(subscriptions: readonly Subscription[]): Map<string, Subscription> {
  return new Map(subscriptions.map((subscription) => [subscription.name, subscription]));
}

/** ioredis with one subscriber connection for each master. */
export const ioredisSharded: PeerDefinition = {
  kinds: ['shard'],
  requests: false,
  create: (options) => new ShardedPeer(options),
};

/** ioredis with its one subscriber connection to a node of its choice, and publishes to any master. */
export const ioredisClassic: PeerDefinition = {
  kinds: ['channel', 'pattern'],
  requests: false,
  create: (options) => new ClassicPeer(options),
};
