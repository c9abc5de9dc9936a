import { channelKey, distinctName, type ChannelName } from '../common/channel-name.js';
import { Deadline } from '../../util/deadline.js';
import { ClusterPubSubError, ClusterUnreachableError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { SlotlessNodes } from '../topology/slotless-nodes.js';
import { isSameList } from '../../util/arrays.js';
import { errorMessage } from '../../util/error-message.js';
import type { Topology } from '../topology/topology.js';
import { countNames } from './distinct-names.js';
import { EngineSnapshots, type EngineSnapshot } from './engine-snapshot.js';
import type {
  ActiveChannels,
  MasterHealth,
  PubSubHealth,
  PubSubHealthOptions,
  UnconfirmedSubscription,
} from './health-types.js';
import {
  readHealthLimits,
  readWatchedChannels,
  sameChannels,
  sameLimits,
  type HealthLimits,
} from './health-options.js';
import { evaluateHealth } from './evaluate-health.js';
import { checkNode, NodeQuestion, type NodeReport, type NodeExecutor } from './node-check.js';
import type { ProbeRunner, ProbeResult } from './probe-runner.js';
import { HealthCache } from './health-cache.js';

/** Which part of the timeout nodes get to answer; the rest is for putting the answers together. */
const TO_ANSWER = 0.9;

/** What a health check needs of the engine. */
export interface HealthCheckDeps {
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  readonly withoutSlots: SlotlessNodes;
  readonly paths: ProbeRunner;
  connect(): Promise<void>;
  sharded(): boolean;
}

/** One way to ask for health. Those who ask it meanwhile get the same answer. */
interface HealthQuestion {
  readonly limits: HealthLimits;
  readonly channels: readonly ChannelName[] | undefined;
  /** Whose subscriptions, gaps and queues are to be told. */
  readonly engines: readonly TakeSnapshot[];
  /** What channels are told without. */
  readonly prefix: string;
}

/**
 * Looks at everything at once, and answers in time whatever the cluster does: each node is asked apart, so that one that
 * hangs is named and does not keep what the others have to say.
 */
export class HealthCheck {
  readonly #answers = new HealthCache<HealthQuestion, PubSubHealth>();

  constructor(private readonly surroundings: HealthCheckDeps) {}

  /**
   * Resolves within `timeout` in any case.
   *
   * @param engines whose subscriptions, gaps and queues are to be told
   * @param prefix what watched channels are told without
   */
  check(given: PubSubHealthOptions, engines: readonly TakeSnapshot[], prefix: string): Promise<PubSubHealth> {
    try {
      const limits = readHealthLimits(given);
      const { channels } = given;
      const shared = this.#answers.find(
        (known) =>
          sameLimits(known.limits, limits) &&
          known.prefix === prefix &&
          isSameList(known.engines, engines) &&
          sameChannels(known.channels, channels),
      );
      if (shared !== undefined) {
        return shared;
      }
      const question = { limits, channels: readWatchedChannels(channels), engines, prefix };
      return this.#answers.ask(question, limits.cacheTtl, () => this.#look(question));
    } catch (error) {
      return Promise.resolve(unasked(error, factsOf(engines), readHealthLimits({})));
    }
  }

  close(): void {
    this.#answers.clear();
    this.surroundings.paths.close();
  }

  async #look(question: HealthQuestion): Promise<PubSubHealth> {
    const { limits, engines } = question;
    const { topology } = this.surroundings;
    const deadline = new Deadline(limits.timeout * TO_ANSWER);
    try {
      await deadline.or(
        this.surroundings.connect(),
        (ms) =>
          new ClusterUnreachableError(`The cluster did not answer within ${ms} ms. ${topology.lastAttempt}`),
      );
      return await this.#ask(question, deadline);
    } catch (error) {
      return unasked(error, factsOf(engines), limits);
    }
  }

  async #ask(asked: HealthQuestion, deadline: Deadline): Promise<PubSubHealth> {
    const { topology, connections, paths, withoutSlots } = this.surroundings;
    const { limits, engines } = asked;
    const channels = asked.channels ?? namesOf(factsOf(engines), limits.maxNames);
    const question = new NodeQuestion(channels, this.surroundings.sharded());
    const ask = (nodes: readonly NodeKey[], role: NodeReport['role']): Promise<NodeReport[]> =>
      Promise.all(
        [...nodes].sort().map((node) => {
          const visit: NodeExecutor = (put) => connections.connect(node).then(put);
          return checkNode({ node, role }, visit, question, deadline);
        }),
      );
    const askOthers = async (): Promise<NodeReport[]> => {
      const others = await deadline.or(withoutSlots.find(), () => new Error()).catch(() => []);
      return Promise.all(
        others.map((other) => {
          const { node, role } = other;
          const visit: NodeExecutor = (put) => withoutSlots.ask(other, put);
          const asked = { node, role: role === 'master' ? 'slotless' : role, givenUp: other.failed } as const;
          return checkNode(asked, visit, question, deadline);
        }),
      );
    };
    const [masters, replicas, others, probes] = await Promise.all([
      ask(topology.masters, 'master'),
      ask(topology.replicas, 'replica'),
      askOthers(),
      Promise.all(
        (limits.probe ? topology.masters : []).map(async (node): Promise<[NodeKey, ProbeResult]> => [
          node,
          await paths.ping(node, deadline),
        ]),
      ),
    ]);
    const reports = { masters, replicas: [...replicas, ...others], probes: new Map(probes) };
    return report(reports, channels, factsOf(engines), asked);
  }
}

/** Asked as late as can be: what has changed while the nodes were asked is to be told as it is. */
export type TakeSnapshot = () => EngineSnapshot;

function factsOf(engines: readonly TakeSnapshot[]): EngineSnapshots {
  return new EngineSnapshots(engines.map((facts) => facts()));
}

/** The engine's own channels: what is published to them is what it is there for. */
function namesOf({ subscriptions }: EngineSnapshots, most: number): ChannelName[] {
  const names = new Map<string, ChannelName>();
  for (const { kind, name } of subscriptions) {
    if (kind.name !== 'pattern' && names.size < most) {
      names.set(channelKey(name), name);
    }
  }
  return [...names.values()];
}

interface Reports {
  readonly masters: readonly NodeReport[];
  /** And whatever else serves no slot. */
  readonly replicas: readonly NodeReport[];
  readonly probes: ReadonlyMap<NodeKey, ProbeResult>;
}

function report(
  { masters, replicas, probes }: Reports,
  channels: readonly ChannelName[],
  facts: EngineSnapshots,
  { limits, prefix }: HealthQuestion,
): PubSubHealth {
  const { maxNames, confirmationTimeout } = limits;
  const unconfirmed = facts.unconfirmed(confirmationTimeout);
  const nodes = [...masters, ...replicas];
  const answers = nodes.flatMap(({ answer }) => answer ?? []);
  const names = namesToTell(channels, prefix);
  const found = {
    ...own(facts, unconfirmed, maxNames),
    numsub: summed(
      names,
      answers.map(({ numsub }) => numsub),
    ),
    shardNumsub: summed(
      names,
      answers.map(({ shardNumsub }) => shardNumsub),
    ),
  };
  const masterNodes = masters.map((master) => masterHealth(master, facts, probes.get(master.node)));
  return {
    ...evaluateHealth({ masters, replicas, probes, unconfirmed, found }, limits),
    at: new Date(),
    engine: facts.status,
    masters: {
      known: masters.length,
      subscribed: masterNodes.filter(({ subscribed }) => subscribed).length,
      reachable: masterNodes.filter(({ reachable }) => reachable).length,
      nodes: masterNodes,
    },
    replicas: { known: replicas.length, reachable: replicas.filter(({ answer }) => answer).length },
    ...found,
    activeChannels: countNames(
      answers.map(({ channels }) => channels),
      maxNames,
    ),
    shardChannels: countNames(
      answers.map(({ shardChannels }) => shardChannels),
      maxNames,
    ),
    patterns: answers.reduce((total, { patterns }) => total + patterns, 0),
    complete: nodes.every(({ answer }) => answer?.refusals.length === 0),
  };
}

/** What there is to tell where there is not even an engine. */
export function healthWithout(error: unknown): PubSubHealth {
  return unasked(error, new EngineSnapshots([]), readHealthLimits({}));
}

/** What is left to tell where the cluster cannot be asked. */
function unasked(error: unknown, facts: EngineSnapshots, limits: HealthLimits): PubSubHealth {
  const nobody: ActiveChannels = { count: 0, names: [] };
  return {
    status: 'down',
    reasons: [errorMessage(error)],
    ...(error instanceof ClusterPubSubError && { code: error.code }),
    at: new Date(),
    engine: facts.status,
    masters: { known: 0, subscribed: 0, reachable: 0, nodes: [] },
    replicas: { known: 0, reachable: 0 },
    ...own(facts, facts.unconfirmed(limits.confirmationTimeout), limits.maxNames),
    numsub: {},
    shardNumsub: {},
    activeChannels: nobody,
    shardChannels: nobody,
    patterns: 0,
    complete: false,
  };
}

/** What engines know of themselves. */
function own(
  facts: EngineSnapshots,
  unconfirmed: readonly UnconfirmedSubscription[],
  maxNames: number,
): Pick<PubSubHealth, 'subscriptions' | 'lastGap' | 'queues'> {
  const { subscriptions, waitingForSubscribers, unread } = facts;
  return {
    subscriptions: {
      desired: subscriptions.length,
      confirmed: subscriptions.filter(({ activeNodes: standing }) => standing.size > 0).length,
      unconfirmed: unconfirmed.slice(0, maxNames),
    },
    lastGap: facts.lastGap(maxNames),
    queues: { waitingForNodes: facts.waitingForNodes(), waitingForSubscribers, unread },
  };
}

function masterHealth(
  { node, answer }: NodeReport,
  facts: EngineSnapshots,
  probe: ProbeResult | undefined,
): MasterHealth {
  const known = answer === undefined ? undefined : facts.heartbeat(node); // one of before it died says nothing
  const heartbeat = probe === undefined ? known : probe.is === 'back' ? probe.ms : undefined;
  return {
    node,
    reachable: answer !== undefined,
    subscribed: facts.isSubscribed(node),
    subscriptions: facts.standingAt(node),
    roundTrip: rounded(answer?.roundTrip),
    heartbeat: rounded(heartbeat),
    queued: facts.waitingForNodes(node),
  };
}

/** Without the prefix; where not all have it, one whose bare name is another's keeps it. */
function namesToTell(channels: readonly ChannelName[], prefix: string): readonly string[] {
  const names = channels.map((name) => (typeof name === 'string' ? name : distinctName(channelKey(name))));
  if (prefix === '') {
    return names;
  }
  const bare = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const taken = new Set(names.every((name) => name.startsWith(prefix)) ? [] : names);
  return names.map((name) => (taken.has(bare(name)) ? name : bare(name)));
}

/** Empty where no node has counted. */
function summed(
  names: readonly string[],
  counts: readonly (readonly number[] | undefined)[],
): Record<string, number> {
  const counted = counts.filter((count) => count !== undefined);
  const totals = names.map((name, index): [string, number] => [
    name,
    counted.reduce((total, count) => total + (count[index] ?? 0), 0),
  ]);
  return counted.length === 0 ? {} : Object.fromEntries(totals);
}

/** To the hundredth of a ms. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 100) / 100;
}
