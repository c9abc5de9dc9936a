import { waitForAgreement } from './cluster-agreement.js';
import { bestView, owns, slotCount, type ClusterNodeView, type NodeOpinion } from './cluster-view.js';
import { LocalClusterError } from './errors.js';
import { failover, type FailoverMode } from './failover.js';
import { formCluster, type ClusterPlan } from './form-cluster.js';
import { moveSlot, type MoveSlotOptions } from './move-slot.js';
import { addressOf, type LocalNode, type NodeReference } from './node-address.js';
import type { RedisProcess } from './redis-process.js';
import { ServerGroup } from './server-group.js';
import { passwordOf, type LocalServerOptions } from './server-options.js';

/** Above it there would be no place for the bus port. */
const highestPort = 55_535;

export interface LocalClusterOptions extends LocalServerOptions {
  /** How many masters share the slots. Default 3; with fewer there is no majority to fail over a lost one. */
  readonly masters?: number | undefined;
  /** The port of the first node; the others have those after it. Each needs its bus port (10000 more) as well. Default: free ones. */
  readonly port?: number | undefined;
  /** How many replicas each master has. Default 1. */
  readonly replicas?: number | undefined;
  /** `cluster-node-timeout`: after how many milliseconds of silence a node counts as lost. Default 2000. */
  readonly nodeTimeout?: number | undefined;
  /** How long the cluster may take to form, and each fault handle to show its effect, in ms. Default 20000. */
  readonly timeout?: number | undefined;
}

/**
 * Starts a real Redis Cluster of `redis-server` (or `valkey-server`) processes on loopback ports, with a temporary
 * folder of its own. Resolves when every node reports a working cluster and knows every other.
 *
 * `stop()` ends it; should the process that started it die instead, even by `kill -9`, a watchdog does.
 *
 * @example
 * ```ts
 * const cluster = await startLocalCluster({ masters: 3, replicas: 1 });
 * try {
 *   const redis = new Cluster(cluster.nodes);
 *   const [master] = await cluster.masters();
 *   await cluster.kill(master);
 * } finally {
 *   await cluster.stop();
 * }
 * ```
 *
 * @throws LocalClusterError `REDIS_SERVER_NOT_FOUND` · `REDIS_SERVER_FAILED` · `TIMEOUT` · `REFUSED`
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { masters = 3, replicas = 1, port, nodeTimeout = 2_000, timeout = 20_000 } = options;
  if (masters < 1 || replicas < 0 || !Number.isInteger(masters) || !Number.isInteger(replicas)) {
    throw new RangeError(
      `A cluster has 1 or more masters and 0 or more replicas, not ${masters} and ${replicas}.`,
    );
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= highestPort)) {
    throw new RangeError(`port is a number from 1 to ${highestPort}, not ${port}.`);
  }
  const group = new ServerGroup({ ...clusterConfig(nodeTimeout), ...options.config }, passwordOf(options));
  try {
    const servers = await group.launch(masters * (1 + replicas), port);
    const plan = assign(servers, masters);
    await group.control((control) => formCluster(control, plan, timeout));
    return new LocalCluster(group, timeout);
  } catch (error) {
    await group.stop();
    throw error;
  }
}

/** A Redis Cluster of its own for a test or a demo. Get one from {@link startLocalCluster}. */
export class LocalCluster {
  /** @internal */
  constructor(
    private readonly group: ServerGroup,
    private readonly timeout: number,
  ) {}

  /** All nodes, alive or not, as startup nodes for ioredis. */
  get nodes(): LocalNode[] {
    return this.group.servers.map(({ host, port }) => ({ host, port }));
  }

  /** The temporary folder with the servers' files and logs; gone after `stop()`. */
  get folder(): string {
    return this.group.folder;
  }

  /** Process id of a node, or undefined while it does not run. */
  pidOf(node: NodeReference): number | undefined {
    return this.group.servers.find(({ port }) => port === node.port)?.pid;
  }

  /** The nodes that are masters now by the cluster's own account, without those whose process has ended. */
  async masters(): Promise<ClusterNodeView[]> {
    return (await this.#view()).filter(({ role }) => role === 'master').map(withoutOpinion);
  }

  /** The nodes that are replicas now by the cluster's own account, without those whose process has ended. */
  async replicas(): Promise<ClusterNodeView[]> {
    return (await this.#view()).filter(({ role }) => role === 'replica').map(withoutOpinion);
  }

  /** The replicas of one master. */
  async replicasOf(master: NodeReference): Promise<ClusterNodeView[]> {
    return (await this.replicas()).filter(({ masterPort }) => masterPort === master.port);
  }

  /**
   * The master that owns a slot (0–16383), by the cluster's own account.
   *
   * @throws LocalClusterError `UNKNOWN_NODE` when no live master owns it
   */
  async ownerOf(slot: number): Promise<ClusterNodeView> {
    const owner = (await this.masters()).find((master) => owns(master, slot));
    if (owner === undefined) throw new LocalClusterError('UNKNOWN_NODE', `No live master owns slot ${slot}.`);
    return owner;
  }

  /** Ends a node at once (SIGKILL), as a crash would. Resolves when the process is gone, before any failover. */
  async kill(node: NodeReference): Promise<void> {
    await this.group.find(node).kill();
  }

  /** Freezes a node (SIGSTOP): its connections stay open, nothing answers. Resolves before any failover. */
  async pause(node: NodeReference): Promise<void> {
    this.group.find(node).pause();
  }

  /** Ends a pause (SIGCONT). Does not wait for the node to find its place again; `settled()` does. */
  async resume(node: NodeReference): Promise<void> {
    this.group.find(node).resume();
  }

  /**
   * Starts a node again, killed or running, on the same port and with what it knew of the cluster. Resolves when
   * it has its place in a working cluster again, be it as the replica of the node that took over from it.
   *
   * @throws LocalClusterError `TIMEOUT` also when too many other nodes are down for the cluster to work
   */
  async restart(node: NodeReference): Promise<void> {
    const server = this.group.find(node);
    await server.terminate();
    await this.group.serve(server);
    await this.settled();
  }

  /**
   * Resolves when every node that is neither dead nor paused reports a working cluster and all agree: after a
   * `kill` of a master, when a replica has taken over.
   *
   * @throws LocalClusterError `TIMEOUT`
   */
  async settled(): Promise<void> {
    await this.group.control((control) =>
      waitForAgreement(control, this.group.responsive, 'the cluster settles', this.timeout),
    );
  }

  /**
   * Makes a replica the master of its shard (CLUSTER FAILOVER). Resolves when all live nodes agree.
   *
   * @param mode `planned` (default) needs the old master alive; `force` and `takeover` do not
   * @throws LocalClusterError `UNKNOWN_NODE` when the node is no replica · `REFUSED` · `TIMEOUT`
   */
  async failover(replica: NodeReference, mode: FailoverMode = 'planned'): Promise<void> {
    const server = this.group.find(replica);
    await this.group.control((control) =>
      failover(control, server, this.group.responsive, mode, this.timeout),
    );
  }

  /**
   * Moves a slot (0–16383) and its keys to another master while clients go on, as `redis-cli --cluster reshard`
   * does. Resolves when all live nodes know the new owner; at once when it owns the slot already.
   *
   * @throws LocalClusterError `UNKNOWN_NODE` when `toMaster` is no master · `REFUSED` · `TIMEOUT`
   */
  async moveSlot(slot: number, toMaster: NodeReference, options?: MoveSlotOptions): Promise<void> {
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount) {
      throw new RangeError(`A slot is a whole number from 0 to ${slotCount - 1}, not ${slot}.`);
    }
    const { responsive, password } = this.group;
    const target = this.group.find(toMaster);
    await this.group.control((control) =>
      moveSlot(control, slot, target, responsive, password, this.timeout, options),
    );
  }

  /** Adds a master that owns no slots yet; `moveSlot` gives it some. Resolves when all live nodes know it. */
  async addMaster(): Promise<LocalNode> {
    const [introducer] = this.group.responsive;
    const [server] = (await this.group.launch(1)) as [RedisProcess];
    await this.group.control(async (control) => {
      if (introducer !== undefined) {
        await control.call(server, 'CLUSTER', 'MEET', introducer.host, introducer.port);
      }
      await waitForAgreement(control, this.group.responsive, `${addressOf(server)} joins`, this.timeout);
    });
    return { host: server.host, port: server.port };
  }

  /** Ends all servers and removes their folder. May be called more than once. */
  stop(): Promise<void> {
    return this.group.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #view(): Promise<NodeOpinion[]> {
    const { responsive, servers } = this.group;
    const view = await this.group.control((control) => bestView(control, responsive));
    return view.filter(({ port }) =>
      servers.some((server) => server.port === port && server.state !== 'ended'),
    );
  }
}

function clusterConfig(nodeTimeout: number) {
  return {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': nodeTimeout,
    // Before the first message from another node, a node does not know its own address and would tell clients ''.
    'cluster-announce-ip': '127.0.0.1',
    // Redis 7 waits 5 s for more replicas before it feeds the first one.
    'repl-diskless-sync-delay': 0,
    // CLUSTER SLOTS names a replica once its offset is above 0, which without writes takes one of these pings; the
    // default is 10 s.
    'repl-ping-replica-period': 1,
  };
}

/** The first servers become masters; the rest are dealt out to them. */
function assign(servers: readonly RedisProcess[], count: number): ClusterPlan {
  const masters = servers.slice(0, count);
  const rest = servers.slice(count);
  return { masters, replicas: masters.map((_, index) => rest.filter((_, place) => place % count === index)) };
}

function withoutOpinion({ id, host, port, role, masterPort, slots }: NodeOpinion): ClusterNodeView {
  return { id, host, port, role, slots, ...(masterPort === undefined ? {} : { masterPort }) };
}
