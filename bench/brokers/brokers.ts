import type * as Testing from 'nestjs-cluster-pubsub/testing';
import keySlot from 'cluster-key-slot';
import { Redis } from 'ioredis';
import type { Address, Place } from '../arm.js';
import type { Broker } from '../arms/index.js';
import { findNatsServer, freePort, NatsServer } from './nats-server.js';
import { bytesWrittenBy } from './process-stats.js';

/** By path: under tsx the package's name is an alias of src. */
const built = new URL('../../dist/esm/testing/index.js', import.meta.url).href;

/** Three masters with a replica each, the usual smallest cluster. */
const usual: Testing.LocalClusterOptions = { masters: 3, replicas: 1 };

/** Bytes since the nodes started, summed over all nodes. */
export interface Traffic {
  /** Between nodes and clients, both ways. */
  readonly clients: number;
  /** From node to node over the cluster bus; undefined without /proc. */
  readonly bus: number | undefined;
}

/** The brokers of all arms of a run. */
export class Brokers {
  readonly #control = new Map<number, Redis>();

  private constructor(
    readonly cluster: Testing.LocalCluster,
    private readonly nats: NatsServer | undefined,
    private readonly node: Address,
  ) {}

  /** Undefined without `nats` in the arms, or where it cannot be installed. */
  static async start(options: Testing.LocalClusterOptions = usual, withNats = false): Promise<Brokers> {
    const { startLocalCluster } = (await import(built)) as typeof Testing;
    const cluster = await startLocalCluster(options);
    try {
      const [master] = await cluster.masters();
      if (master === undefined) throw new Error('The cluster has no master.');
      const program = withNats ? findNatsServer() : undefined;
      const nats = program === undefined ? undefined : await NatsServer.start(program);
      return new Brokers(cluster, nats, { host: master.host, port: master.port });
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get hasNats(): boolean {
    return this.nats !== undefined;
  }

  async place(): Promise<Place> {
    const { cluster, nats, node } = this;
    return { nodes: cluster.nodes, node, nats: nats?.url ?? '', port: await freePort() };
  }

  /** The processes whose CPU time is part of the cost. */
  pidsOf(broker: Broker): number[] {
    if (broker === 'none') return [];
    if (broker === 'nats') return this.nats === undefined ? [] : [this.nats.pid];
    return this.cluster.nodes.map((node) => this.cluster.pidOf(node)).filter((pid) => pid !== undefined);
  }

  async traffic(): Promise<Traffic> {
    const all = await Promise.all(this.cluster.nodes.map((node) => this.#trafficOf(node)));
    return all.reduce((sum, { clients, bus }) => ({
      clients: sum.clients + clients,
      bus: sum.bus === undefined || bus === undefined ? undefined : sum.bus + bus,
    }));
  }

  ownerOf(channel: string): Promise<Address> {
    return this.cluster.ownerOf(keySlot(channel));
  }

  async stop(): Promise<void> {
    for (const redis of this.#control.values()) redis.disconnect();
    this.nats?.stop();
    await this.cluster.stop();
  }

  /**
   * Redis counts its messages on the bus, but not their bytes. A node without persistence writes only to its clients,
   * which it counts, and to the bus: the bytes that the kernel counts, less the former, are the latter.
   */
  async #trafficOf(node: Address): Promise<Traffic> {
    const info = await this.#controlOf(node).info('stats');
    const input = numberIn(info, 'total_net_input_bytes');
    const output = numberIn(info, 'total_net_output_bytes');
    const pid = this.cluster.pidOf(node);
    const written = pid === undefined ? undefined : bytesWrittenBy(pid);
    return { clients: input + output, bus: written === undefined ? undefined : written - output };
  }

  #controlOf(node: Address): Redis {
    const known = this.#control.get(node.port);
    if (known !== undefined) return known;
    const redis = new Redis({ ...node });
    this.#control.set(node.port, redis);
    return redis;
  }
}

function numberIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
