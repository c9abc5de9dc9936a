import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNodeView, LocalCluster } from '../../src/testing/index.js';
import type { Address, Nodes } from './nodes.js';
import type { Random } from './random.js';
import type { TcpProxy } from './tcp-proxy.js';
import type { World } from './world.js';

/** Interval of the queries for a replica's promotion. */
const ROLE_POLL_INTERVAL_MS = 10;

/** The stage of a scenario: the cluster with traffic on it, and the means to break it. */
export class Stage {
  constructor(
    private readonly world: World,
    readonly random: Random,
  ) {}

  get cluster(): LocalCluster {
    return this.world.cluster;
  }

  get nodes(): Nodes {
    return this.world.nodes;
  }

  /** The masters in the order in which they were started, so that a seed picks the same ones again. */
  async masters(): Promise<ClusterNodeView[]> {
    return this.#inOrder(await this.cluster.masters());
  }

  async replicas(): Promise<ClusterNodeView[]> {
    return this.#inOrder(await this.cluster.replicas());
  }

  proxyOf(node: Address): TcpProxy {
    return this.world.proxyOf(node);
  }

  /** Delays what passes between clients and all nodes that have a proxy, by `ms` each way; 0 ends it. */
  slowNetwork(ms: number): void {
    this.world.slowNetwork(ms);
  }

  /** Records a fault. Call it just before: recovery is measured from here. */
  fault(text: string): void {
    this.world.timeline.add('fault', 'chaos', text);
  }

  note(text: string): void {
    this.world.timeline.add('note', 'chaos', text);
  }

  /** Resolves after `ms` of traffic. */
  async traffic(ms: number): Promise<void> {
    await sleep(ms);
  }

  /** Resolves when one of the nodes reports that it is a master, and records the moment. */
  async promotion(replicas: readonly Address[], timeout = 20_000): Promise<void> {
    const deadline = performance.now() + timeout;
    while (performance.now() < deadline) {
      for (const replica of replicas) {
        const role = await this.nodes.ask(replica, 'ROLE');
        if (Array.isArray(role) && role[0] === 'master') {
          this.world.timeline.add('promotion', 'chaos', `${replica.port} is master`);
          return;
        }
      }
      await sleep(ROLE_POLL_INTERVAL_MS);
    }
    this.note(`no promotion within ${timeout} ms`);
  }

  #inOrder(nodes: readonly ClusterNodeView[]): ClusterNodeView[] {
    const places = this.cluster.nodes.map(({ port }) => port);
    return nodes.toSorted((a, b) => places.indexOf(a.port) - places.indexOf(b.port));
  }
}
