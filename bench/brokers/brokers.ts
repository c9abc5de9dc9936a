import type * as Testing from 'nestjs-cluster-pubsub/testing';
import type { Address, Place } from '../arm.js';
import type { Broker } from '../arms/index.js';
import { findNatsServer, freePort, NatsServer } from './nats-server.js';

/** By its path: its name is an alias of src for whoever runs under tsx. */
const built = new URL('../../dist/esm/testing/index.js', import.meta.url).href;

/** Three masters with a replica each, as people have them. */
const usual: Testing.LocalClusterOptions = { masters: 3, replicas: 1 };

/** What stands between the clients and the servers, for all arms of a run. */
export class Brokers {
  private constructor(
    readonly cluster: Testing.LocalCluster,
    private readonly nats: NatsServer | undefined,
    private readonly node: Address,
  ) {}

  /** Without `nats` in the arms, or where it cannot be had, there is none. */
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

  /** The processes whose CPU time is a part of the price. */
  pidsOf(broker: Broker): number[] {
    if (broker === 'none') return [];
    if (broker === 'nats') return this.nats === undefined ? [] : [this.nats.pid];
    return this.cluster.nodes.map((node) => this.cluster.pidOf(node)).filter((pid) => pid !== undefined);
  }

  async stop(): Promise<void> {
    this.nats?.stop();
    await this.cluster.stop();
  }
}
