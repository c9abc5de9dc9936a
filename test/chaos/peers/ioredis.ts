import { once } from 'node:events';
import { Cluster, type ClusterOptions, Redis } from 'ioredis';
import type { Channel, Lane, OnMessage, Peer, PeerDefinition, PeerOptions, PublishResult } from '../peer.js';
import { home } from './home.js';

/** What ioredis tells an application of trouble. It has no event for a subscription that is not there. */
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

/** How often to connect anew before the subscriber connection stands where it shall; ioredis chooses one node of six. */
const tries = 60;

/** As its documentation has it: retries, offline queue and `autoResubscribe` are on by themselves. */
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

  abstract subscribe(lanes: readonly Lane[], onMessage: OnMessage): Promise<void>;
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
   * Connects until `probe` says that the subscriber connection stands at the node that the faults strike: chance would
   * spare most runs, and the table would say that there was no fault.
   */
  protected async settleAtHome(probe: string): Promise<void> {
    const { host, port } = this.options.nodes[home] ?? {};
    if (host === undefined || port === undefined) throw new Error(`No node ${home}.`);
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
      throw new Error(`Not at node ${home} after ${tries} tries.`);
    } finally {
      node.disconnect();
    }
  }

  #watch(): void {
    for (const sign of signs) {
      this.cluster.on(sign, (about: unknown) => {
        this.options.tell(about instanceof Error ? `${sign}: ${about.message.slice(0, 120)}` : sign);
      });
    }
  }
}

class ShardedPeer extends IoredisPeer {
  constructor(options: PeerOptions) {
    super(options, { shardedSubscribers: true });
  }

  async subscribe(lanes: readonly Lane[], onMessage: OnMessage): Promise<void> {
    const laneOf = byName(lanes);
    this.cluster.on('smessage', (channel: string, payload: string) => {
      const lane = laneOf.get(channel);
      if (lane !== undefined) onMessage(lane, channel, payload);
    });
    // One by one: the channels of one call must share a slot.
    await Promise.all(lanes.map(({ name }) => this.cluster.ssubscribe(name)));
  }

  protected async send(channel: string, payload: string): Promise<number> {
    return Number(await this.cluster.spublish(channel, payload));
  }
}

class ClassicPeer extends IoredisPeer {
  constructor(options: PeerOptions) {
    super(options, {});
  }

  async subscribe(lanes: readonly Lane[], onMessage: OnMessage): Promise<void> {
    await this.settleAtHome(`chaos.home.${process.pid}`);
    const laneOf = byName(lanes);
    this.cluster.on('message', (channel: string, payload: string) => {
      const lane = laneOf.get(channel);
      if (lane !== undefined) onMessage(lane, channel, payload);
    });
    this.cluster.on('pmessage', (pattern: string, channel: string, payload: string) => {
      const lane = laneOf.get(pattern);
      if (lane !== undefined) onMessage(lane, channel, payload);
    });
    const named = (kind: Lane['kind']) => lanes.filter((lane) => lane.kind === kind).map(({ name }) => name);
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

function byName(lanes: readonly Lane[]): Map<string, Lane> {
  return new Map(lanes.map((lane) => [lane.name, lane]));
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
