import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNodeView, LocalCluster } from '../../src/testing/index.js';
import type { Address, Nodes } from './nodes.js';
import type { Random } from './random.js';
import type { TcpProxy } from './tcp-proxy.js';
import type { World } from './world.js';

/** How often a replica is asked whether it has become the master, in ms. */
const look = 10;

/** Where a scenario plays: the cluster with traffic on it, and the means to break it. */
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

  /** In the order in which they were started, so that a seed comes to the same ones again. */
  async masters(): Promise<ClusterNodeView[]> {
    return this.#inOrder(await this.cluster.masters());
  }

  async replicas(): Promise<ClusterNodeView[]> {
    return this.#inOrder(await this.cluster.replicas());
  }

  proxyOf(node: Address): TcpProxy {
    return this.world.proxyOf(node);
  }

  /** To be called just before something is broken: recovery is measured from here. */
  fault(text: string): void {
    this.world.timeline.add('fault', 'chaos', text);
  }

  note(text: string): void {
    this.world.timeline.add('note', 'chaos', text);
  }

  /** Lets the traffic go on for so many ms. */
  async traffic(ms: number): Promise<void> {
    await sleep(ms);
  }

  /** Resolves when one of the nodes has become a master, as it says itself; puts the moment down. */
  async promotion(replicas: readonly Address[], patience = 20_000): Promise<void> {
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      for (const replica of replicas) {
        const role = await this.nodes.ask(replica, 'ROLE');
        if (Array.isArray(role) && role[0] === 'master') {
          this.world.timeline.add('promotion', 'chaos', `${replica.port} is master`);
          return;
        }
      }
      await sleep(look);
    }
    this.note(`no promotion within ${patience} ms`);
  }

  #inOrder(nodes: readonly ClusterNodeView[]): ClusterNodeView[] {
    const places = this.cluster.nodes.map(({ port }) => port);
    return nodes.toSorted((a, b) => places.indexOf(a.port) - places.indexOf(b.port));
  }
}
