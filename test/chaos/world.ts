import { existsSync } from 'node:fs';
import { startLocalCluster, type LocalCluster } from '../../src/testing/index.js';
import { isAlive } from '../support/processes.js';
import type { Evidence, Misconduct } from './evidence.js';
import { Member } from './members/member.js';
import type { Report, Setup } from './members/protocol.js';
import { type Address, Nodes } from './nodes.js';
import type { PeerOptions } from './peer.js';
import type { PeerName } from './peers/index.js';
import { TcpProxy } from './tcp-proxy.js';
import type { Timeline } from './timeline.js';

export interface WorldOptions {
  readonly peer: PeerName;
  readonly raw: boolean;
  /** Messages a second, of all publishers together. */
  readonly rate: number;
  /** Puts a proxy before each node, through which the clients connect. */
  readonly proxies: boolean;
  readonly slotsRefreshInterval?: number;
}

const publishers = 2;
const subscribers = 2;
/** Requests a second, of all publishers together. */
const requestRate = 60;
const nodeTimeout = 2_000;

/** A cluster with the processes that use it. */
export class World {
  readonly nodes = new Nodes();
  readonly misconduct: Misconduct[] = [];
  readonly #proxies = new Map<number, TcpProxy>();
  readonly #publishers: Member[];
  readonly #subscribers: Member[];
  #cluster: LocalCluster | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(
    readonly options: WorldOptions,
    public timeline: Timeline,
  ) {
    const listener = {
      event: (who: string, at: number, text: string) => this.timeline.add('event', who, text, at),
      misconduct: (one: Misconduct) => {
        this.misconduct.push(one);
        this.timeline.add('violation', one.who, one.what);
      },
    };
    const members = (role: string, count: number) =>
      Array.from({ length: count }, (_, index) => new Member(`${role}${index}`, listener));
    this.#publishers = members('pub', publishers);
    this.#subscribers = members('sub', subscribers);
  }

  /** Starts cluster and members; subscribers are confirmed, nothing is published yet. `onCreated` gets it before that. */
  static async start(
    options: WorldOptions,
    timeline: Timeline,
    onCreated: (world: World) => void = () => undefined,
  ): Promise<World> {
    const world = new World(options, timeline);
    onCreated(world);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get cluster(): LocalCluster {
    if (this.#cluster === undefined) throw new Error('The cluster has not been started yet.');
    return this.#cluster;
  }

  proxyOf(node: Address): TcpProxy {
    const proxy = this.#proxies.get(node.port);
    if (proxy === undefined) throw new Error(`No proxy before ${node.port}: the scenario must ask for them.`);
    return proxy;
  }

  slowNetwork(ms: number): void {
    for (const proxy of this.#proxies.values()) proxy.slow(ms);
  }

  async publish(): Promise<void> {
    await Promise.all(this.#publishers.map((one) => one.order('publish')));
  }

  /** Ends the traffic, waits until it has settled, and collects all records since the last time. */
  async collect(): Promise<Evidence> {
    await Promise.all(this.#publishers.map((one) => one.order('rest')));
    await Promise.all(this.#subscribers.map((one) => one.order('rest')));
    const reportsOf = (members: readonly Member[]): Promise<Report[]> =>
      Promise.all(members.map((one) => one.order('report')));
    const published = await reportsOf(this.#publishers);
    const received = await reportsOf(this.#subscribers);
    return {
      publications: published.flatMap(({ publications }) => publications),
      requests: published.flatMap(({ requests }) => requests),
      subscribers: received.map(({ subscriptions, deliveries, gaps }, index) => {
        return { name: this.#subscribers[index]?.name ?? '', subscriptions, deliveries, gaps };
      }),
      handled: new Map(received.flatMap(({ handled }) => [...handled])),
    };
  }

  /** Stops everything; what does not end by itself is recorded in `misconduct`. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const cluster = (this.#cluster = await startLocalCluster({ masters: 3, replicas: 1, nodeTimeout }));
    if (this.#stopping !== undefined) {
      await cluster.stop();
      return;
    }
    if (this.options.proxies) {
      for (const node of cluster.nodes) this.#proxies.set(node.port, await TcpProxy.to(node));
    }
    const options = this.#peerOptions();
    const setUp = (member: Member, role: Setup['role']): Promise<void> =>
      member.setUp({ name: member.name, peer: this.options.peer, options, role });
    const servers = this.#subscribers.map((_, server) => server);
    await Promise.all(
      this.#subscribers.map((member, server) => setUp(member, { kind: 'subscriber', server })),
    );
    await Promise.all(
      this.#publishers.map((member) =>
        setUp(member, {
          kind: 'publisher',
          rate: this.options.rate / publishers,
          requestRate: requestRate / publishers,
          servers,
        }),
      ),
    );
  }

  #peerOptions(): Omit<PeerOptions, 'log'> {
    const { raw, slotsRefreshInterval } = this.options;
    const through = (node: Address): Address => {
      const proxy = this.#proxies.get(node.port);
      return proxy === undefined ? node : { host: '127.0.0.1', port: proxy.port };
    };
    const nodes = this.cluster.nodes.map(({ host, port }) => ({ host, port }));
    const natMap = Object.fromEntries(nodes.map((node) => [`${node.host}:${node.port}`, through(node)]));
    return {
      nodes: nodes.map(through),
      clusterOptions: {
        ...(this.options.proxies ? { natMap } : {}),
        ...(slotsRefreshInterval === undefined ? {} : { slotsRefreshInterval }),
      },
      raw,
    };
  }

  async #stop(): Promise<void> {
    const cluster = this.#cluster;
    const servers = cluster?.nodes.map((node) => cluster.pidOf(node)) ?? [];
    await Promise.all([...this.#publishers, ...this.#subscribers].map((member) => member.close()));
    this.nodes.close();
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
    await cluster?.stop();
    const left = servers.filter((pid) => pid !== undefined && isAlive(pid));
    if (left.length > 0) this.misconduct.push({ who: 'servers', what: `still running: ${left.join(', ')}` });
    if (cluster !== undefined && existsSync(cluster.folder)) {
      this.misconduct.push({ who: 'servers', what: `folder still there: ${cluster.folder}` });
    }
  }
}
