import { waitForAgreement } from './cluster-agreement.js';
import {
  bestView,
  owns,
  slotCount,
  type ClusterNodeView,
  type NodeOpinion,
  type SlotRange,
} from './cluster-view.js';
import { LocalClusterError } from './errors.js';
import { failover, type FailoverMode } from './failover.js';
import { formCluster, type ClusterPlan } from './form-cluster.js';
import { checkRanges, migrateSlots } from './migrate-slots.js';
import { moveSlot, type MoveSlotOptions } from './move-slot.js';
import { addressOf, type LocalNode, type NodeReference } from './node-address.js';
import type { RedisConfig } from './redis-config.js';
import type { RedisProcess } from './redis-process.js';
import { ServerGroup } from './server-group.js';
import { passwordOf, type LocalServerOptions } from './server-options.js';

/** A higher port would leave no room for the bus port. */
const highestPort = 55_535;

export interface LocalClusterOptions extends LocalServerOptions {
  /** Number of masters that share the slots. Default 3; with fewer there is no majority for a failover. */
  readonly masters?: number | undefined;
  /** The port of the first node; the others use the following ones. The bus ports (10000 higher) must be free too. Default: free ports. */
  readonly port?: number | undefined;
  /** Number of replicas per master. Default 1. */
  readonly replicas?: number | undefined;
  /** `cluster-node-timeout`: time without a message after which a node counts as failed, in ms. Default 2000. */
  readonly nodeTimeout?: number | undefined;
  /** Time limit for the cluster to form, and for each fault to take effect, in ms. Default 20000. */
  readonly timeout?: number | undefined;
}

/**
 * Starts a real Redis Cluster of `redis-server` (or `valkey-server`) processes on loopback ports, with its own temporary
 * folder. Resolves when every node reports a working cluster and knows every other.
 *
 * `stop()` ends it. If the calling process ends first, even by `kill -9`, a watchdog ends it.
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
      `masters must be at least 1 and replicas at least 0, received ${masters} and ${replicas}.`,
    );
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= highestPort)) {
    throw new RangeError(`port must be a number between 1 and ${highestPort}, received ${port}.`);
  }
  const config: RedisConfig = { ...clusterConfig(nodeTimeout), ...options.config };
  const group = new ServerGroup(config, passwordOf(options));
  try {
    const servers = await group.launch(masters * (1 + replicas), port);
    const plan = assign(servers, masters);
    const configured = Number(config['cluster-node-timeout']);
    await group.control((control) => formCluster(control, plan, configured, timeout));
    return new LocalCluster(group, timeout);
  } catch (error) {
    await group.stop();
    throw error;
  }
}

/** A Redis Cluster for a test or a demo, created by {@link startLocalCluster}. */
export class LocalCluster {
  /** @internal */
  constructor(
    private readonly group: ServerGroup,
    private readonly timeout: number,
  ) {}

  /** All nodes, running or not, as startup nodes for ioredis. */
  get nodes(): LocalNode[] {
    return this.group.servers.map(({ host, port }) => ({ host, port }));
  }

  /** The temporary folder with the files and logs of the servers; removed by `stop()`. */
  get folder(): string {
    return this.group.folder;
  }

  /** Process id of a node, or undefined while it does not run. */
  pidOf(node: NodeReference): number | undefined {
    return this.group.servers.find(({ port }) => port === node.port)?.pid;
  }

  /** The current masters as the cluster reports them, without nodes whose process has ended. */
  async masters(): Promise<ClusterNodeView[]> {
    return (await this.#view()).filter(({ role }) => role === 'master').map(withoutOpinion);
  }

  /** The current replicas as the cluster reports them, without nodes whose process has ended. */
  async replicas(): Promise<ClusterNodeView[]> {
    return (await this.#view()).filter(({ role }) => role === 'replica').map(withoutOpinion);
  }

  /** The replicas of one master. */
  async replicasOf(master: NodeReference): Promise<ClusterNodeView[]> {
    return (await this.replicas()).filter(({ masterPort }) => masterPort === master.port);
  }

  /**
   * The master that owns a slot (0–16383), as the cluster reports it.
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

  /** Freezes a node (SIGSTOP): its connections stay open, but it does not respond. Resolves before any failover. */
  async pause(node: NodeReference): Promise<void> {
    this.group.find(node).pause();
  }

  /** Ends a pause (SIGCONT). Does not wait for the node to rejoin the cluster; `settled()` does. */
  async resume(node: NodeReference): Promise<void> {
    this.group.find(node).resume();
  }

  /**
   * Restarts a node, killed or running, on the same port with its former cluster configuration. Resolves when it has
   * rejoined a working cluster, possibly as a replica of the node that took over.
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
   * Resolves when all nodes that are neither dead nor paused report a working cluster and agree; after `kill` of a
   * master, when a replica has taken over.
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
   * @param mode `planned` (default) requires a live master; `force` and `takeover` do not
   * @throws LocalClusterError `UNKNOWN_NODE` when the node is not a replica · `REFUSED` · `TIMEOUT`
   */
  async failover(replica: NodeReference, mode: FailoverMode = 'planned'): Promise<void> {
    const server = this.group.find(replica);
    await this.group.control((control) =>
      failover(control, server, this.group.responsive, mode, this.timeout),
    );
  }

  /**
   * Moves a slot (0–16383) and its keys to another master while clients are connected, like
   * `redis-cli --cluster reshard`. Resolves when all live nodes know the new owner; at once if it owns the slot already.
   * A master whose last slot leaves becomes a replica of the new owner; `settled()` waits until it is in step.
   *
   * @throws LocalClusterError `UNKNOWN_NODE` when `toMaster` is not a master · `REFUSED` · `TIMEOUT`
   */
  async moveSlot(slot: number, toMaster: NodeReference, options?: MoveSlotOptions): Promise<void> {
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount) {
      throw new RangeError(`slot must be an integer between 0 and ${slotCount - 1}, received ${slot}.`);
    }
    const { responsive, password } = this.group;
    const target = this.group.find(toMaster);
    await this.group.control((control) =>
      moveSlot(control, slot, target, responsive, password, this.timeout, options),
    );
  }

  /**
   * Moves ranges of slots, both ends included, and their keys to another master while clients are connected: atomically
   * where the server can (Valkey 9 `CLUSTER MIGRATESLOTS`, Redis 8.4 `CLUSTER MIGRATION`), else slot by slot as
   * `moveSlot` does. The slots may have several owners. Resolves when all live nodes know the new one.
   *
   * @throws LocalClusterError `UNKNOWN_NODE` when `toMaster` is not a master · `REFUSED` · `TIMEOUT`
   */
  async migrateSlots(ranges: readonly SlotRange[], toMaster: NodeReference): Promise<void> {
    checkRanges(ranges);
    const { responsive, password } = this.group;
    const target = this.group.find(toMaster);
    await this.group.control((control) =>
      migrateSlots(control, ranges, target, responsive, password, this.timeout),
    );
  }

  /** Adds a master without slots; use `moveSlot` to give it some. Resolves when all live nodes know it. */
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
    // Before the first message from another node, a node does not know its own address and would announce ''.
    'cluster-announce-ip': '127.0.0.1',
    // Redis 7 waits 5 s for more replicas before it feeds the first one.
    'repl-diskless-sync-delay': 0,
    // CLUSTER SLOTS lists a replica once its offset is above 0, which without writes takes one of these pings (default:
    // every 10 s).
    'repl-ping-replica-period': 1,
  };
}

/** The first servers become masters; the others are distributed as their replicas. */
function assign(servers: readonly RedisProcess[], count: number): ClusterPlan {
  const masters = servers.slice(0, count);
  const rest = servers.slice(count);
  return {
    masters,
    replicas: masters.map((_, index) => rest.filter((_, position) => position % count === index)),
  };
}

function withoutOpinion({ id, host, port, role, masterPort, slots }: NodeOpinion): ClusterNodeView {
  return { id, host, port, role, slots, ...(masterPort === undefined ? {} : { masterPort }) };
}
