import { channelKey, type ChannelName, escapeGlob } from '../common/channel-name.js';
import { Deadline } from '../../util/deadline.js';
import { errorReason } from '../../util/error-message.js';
import { ClusterUnreachableError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { SlotlessNode, SlotlessNodes } from '../topology/slotless-nodes.js';
import type { Topology } from '../topology/topology.js';
import { EngineSnapshots, type TakeSnapshot } from './engine-snapshot.js';
import type { PubSubHealth, PubSubHealthOptions } from './health-types.js';
import { readHealthLimits, readWatchedChannels, type HealthLimits } from './health-options.js';
import type { ClusterReports } from './evaluate-health.js';
import { reportEnginesAlone, reportHealth, reportUnavailable } from './health-report.js';
import { checkNode, type NodeQuery, type NodeReport } from './node-check.js';
import type { ProbeRunner, ProbeResult } from './probe-runner.js';
import { HealthCache } from './health-cache.js';

/** The part of the timeout in which nodes must answer; the rest is for the report. */
const NODE_SHARE_OF_TIMEOUT = 0.9;

/** So that a process is back in traffic soon after its masters are. */
const MAX_DOWN_TTL_MS = 250;

export interface HealthCheckDeps {
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  readonly slotlessNodes: SlotlessNodes;
  readonly probes: ProbeRunner;
  connect(): Promise<void>;
  sharded(): boolean;
}

interface HealthQuery {
  readonly limits: HealthLimits;
  readonly channels: readonly ChannelName[] | undefined;
  readonly engines: readonly TakeSnapshot[];
  readonly prefix: string;
}

/**
 * Queries all nodes at once and reports in time whatever the cluster does: each node has a result of its own, so that one
 * that hangs is named and does not delay the others.
 */
export class HealthCheck {
  readonly #cache = new HealthCache<PubSubHealth>();
  /** Names engines in the keys of the cache. */
  readonly #engineIds = new WeakMap<TakeSnapshot, number>();
  #lastEngineId = 0;

  constructor(private readonly deps: HealthCheckDeps) {}

  /**
   * Resolves within `timeout` in any case.
   *
   * @param engines whose subscriptions, gaps and queues are reported
   * @param prefix removed from the names of watched channels
   */
  check(
    options: PubSubHealthOptions,
    engines: readonly TakeSnapshot[],
    prefix: string,
  ): Promise<PubSubHealth> {
    try {
      const limits = readHealthLimits(options);
      const query = { limits, channels: readWatchedChannels(options.channels), engines, prefix };
      if (limits.for === 'liveness') {
        return Promise.resolve(reportEnginesAlone(snapshotsOf(engines), limits));
      }
      const ttlOf = ({ status }: PubSubHealth): number =>
        status === 'down' ? Math.min(limits.cacheTtl, MAX_DOWN_TTL_MS) : limits.cacheTtl;
      return this.#cache.get(this.#keyOf(query), ttlOf, () => this.#check(query));
    } catch (error) {
      return Promise.resolve(reportUnavailable(error, snapshotsOf(engines), readHealthLimits({})));
    }
  }

  close(): void {
    this.#cache.clear();
  }

  #keyOf({ limits, channels, engines, prefix }: HealthQuery): string {
    const names = channels?.map((name) => (typeof name === 'string' ? name : [channelKey(name)]));
    return JSON.stringify([limits, prefix, engines.map((engine) => this.#engineId(engine)), names]);
  }

  #engineId(engine: TakeSnapshot): number {
    let id = this.#engineIds.get(engine);
    if (id === undefined) {
      id = this.#lastEngineId += 1;
      this.#engineIds.set(engine, id);
    }
    return id;
  }

  async #check(query: HealthQuery): Promise<PubSubHealth> {
    const { limits, engines, prefix } = query;
    const { topology } = this.deps;
    const deadline = new Deadline(limits.timeout * NODE_SHARE_OF_TIMEOUT);
    try {
      await deadline.or(this.deps.connect(), (ms) => {
        const cause = topology.lastQuery.failure;
        const reason = cause === undefined ? '' : ` ${errorReason(cause)}.`;
        const text = `The cluster did not answer within ${ms} ms. ${topology.lastQuery.asked}${reason}`;
        return new ClusterUnreachableError(text, { cause });
      });
      const channels = query.channels ?? namesOf(snapshotsOf(engines), limits.maxNames);
      const listed = prefix === '' ? undefined : `${escapeGlob(prefix)}*`;
      const nodeQuery = { channels, listed, sharded: this.deps.sharded() };
      const reports = await this.#checkCluster(nodeQuery, limits.probe, deadline);
      // The snapshot is taken last: it may have changed while the nodes answered.
      return reportHealth(reports, channels, snapshotsOf(engines), limits, prefix);
    } catch (error) {
      return reportUnavailable(error, snapshotsOf(engines), limits);
    }
  }

  async #checkCluster(query: NodeQuery, probe: boolean, deadline: Deadline): Promise<ClusterReports> {
    const { topology, connections, probes, slotlessNodes } = this.deps;
    await topology.assureRecent();
    const check = (nodes: readonly NodeKey[], role: NodeReport['role']): Promise<NodeReport[]> =>
      Promise.all(
        [...nodes].sort().map((node) =>
          checkNode(
            { node, role },
            async (ask) => ask(await connections.connect(node)),
            query,
            deadline,
            () => connections.failureOf(node),
          ),
        ),
      );
    const checkSlotless = async (): Promise<NodeReport[]> => {
      const none: readonly SlotlessNode[] = [];
      const found = await deadline.or(slotlessNodes.find(), () => new Error()).catch(() => none);
      return Promise.all(
        found.map((other) => {
          const { node, failed } = other;
          const role = other.role === 'master' ? 'slotless' : 'replica';
          return checkNode(
            { node, role, failed },
            (ask) => slotlessNodes.run(other, ask),
            query,
            deadline,
            () => connections.failureOf(node),
          );
        }),
      );
    };
    const runProbe = async (node: NodeKey): Promise<[NodeKey, ProbeResult]> => [
      node,
      await probes.ping(node, deadline),
    ];
    const [masters, replicas, slotless, probed] = await Promise.all([
      check(topology.masters, 'master'),
      check(topology.replicas, 'replica'),
      checkSlotless(),
      Promise.all((probe ? topology.masters : []).map(runProbe)),
    ]);
    const foreign = topology.foreign.nodes.map(({ message }) => message);
    return { masters, replicas: [...replicas, ...slotless], foreign, probes: new Map(probed) };
  }
}

function snapshotsOf(engines: readonly TakeSnapshot[]): EngineSnapshots {
  return new EngineSnapshots(engines.map((takeSnapshot) => takeSnapshot()));
}

/** The channels that the engines are subscribed to, the first `maxNames` of them. */
function namesOf({ subscriptions }: EngineSnapshots, maxNames: number): ChannelName[] {
  const names = new Map<string, ChannelName>();
  for (const { kind, name } of subscriptions) {
    if (kind.name !== 'pattern' && names.size < maxNames) {
      names.set(channelKey(name), name);
    }
  }
  return [...names.values()];
}
