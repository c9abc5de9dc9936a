import { channelKey, distinctName, type ChannelKey } from '../channel-key.js';
import { ClusterPubSubError, ClusterUnreachableError } from '../errors.js';
import { sumByChannel } from '../introspection.js';
import type { NodeKey } from '../node-address.js';
import type { NodeConnections } from '../node-connections.js';
import type { ChannelName } from '../options.js';
import type { Topology } from '../topology.js';
import { Deadline } from '../deadline.js';
import { EnginesFacts, type EngineFacts } from './engine-facts.js';
import type {
  ActiveChannels,
  MasterHealth,
  PubSubHealth,
  PubSubHealthOptions,
  UnconfirmedSubscription,
} from './health.js';
import { keyOf, readHealthOptions, type HealthLimits } from './health-options.js';
import { judge } from './judge.js';
import { interview, type NodeAnswer, type NodeReport } from './node-interview.js';
import type { ProbePaths, ProbeResult } from './probe-paths.js';
import { SharedAnswers } from './shared-answers.js';

/** Which part of the timeout nodes get to answer; the rest is for putting the answers together. */
const TO_ANSWER = 0.9;

/** What a health check needs of the engine. */
export interface HealthSurroundings {
  readonly topology: Topology;
  readonly connections: NodeConnections;
  readonly paths: ProbePaths;
  connect(): Promise<void>;
  sharded(): boolean;
}

/**
 * Looks at everything at once, and answers in time whatever the cluster does: each node is asked apart, so that one that
 * hangs is named and does not keep what the others have to say.
 */
export class HealthCheck {
  readonly #answers = new SharedAnswers<PubSubHealth>();

  constructor(private readonly surroundings: HealthSurroundings) {}

  /**
   * Resolves within `timeout` in any case.
   *
   * @param engines whose subscriptions, gaps and queues are to be told
   */
  check(given: PubSubHealthOptions, engines: readonly FactsOfEngine[]): Promise<PubSubHealth> {
    try {
      const limits = readHealthOptions(given);
      const key = `${String(engines.length)} ${keyOf(limits)}`;
      return this.#answers.get(key, limits.cacheFor, () => this.#look(limits, engines));
    } catch (error) {
      return Promise.resolve(unasked(error, factsOf(engines), readHealthOptions({})));
    }
  }

  close(): void {
    this.#answers.clear();
    this.surroundings.paths.close();
  }

  async #look(limits: HealthLimits, engines: readonly FactsOfEngine[]): Promise<PubSubHealth> {
    const deadline = new Deadline(limits.timeout * TO_ANSWER);
    try {
      await deadline.or(
        this.surroundings.connect(),
        (ms) => new ClusterUnreachableError(`The cluster did not answer within ${ms} ms.`),
      );
      return await this.#ask(limits, engines, deadline);
    } catch (error) {
      return unasked(error, factsOf(engines), limits);
    }
  }

  async #ask(
    limits: HealthLimits,
    engines: readonly FactsOfEngine[],
    deadline: Deadline,
  ): Promise<PubSubHealth> {
    const { topology, connections, paths } = this.surroundings;
    const question = {
      channels: limits.channels ?? namesOf(factsOf(engines), limits.maxNames),
      sharded: this.surroundings.sharded(),
    };
    const ask = (nodes: readonly NodeKey[]): Promise<NodeReport[]> =>
      Promise.all([...nodes].sort().map((node) => interview(connections, node, question, deadline)));
    const probed = limits.probe ? topology.masters : [];
    const [masters, replicas, probes] = await Promise.all([
      ask(topology.masters),
      ask(topology.replicas),
      Promise.all(
        probed.map(async (node): Promise<[NodeKey, ProbeResult]> => [
          node,
          await paths.prove(node, deadline),
        ]),
      ),
    ]);
    return report({ masters, replicas, probes: new Map(probes) }, factsOf(engines), limits);
  }
}

/** Asked as late as can be: what has changed while the nodes were asked is to be told as it is. */
export type FactsOfEngine = () => EngineFacts;

function factsOf(engines: readonly FactsOfEngine[]): EnginesFacts {
  return new EnginesFacts(engines.map((facts) => facts()));
}

/** The engine's own channels: what is published to them is what it is there for. */
function namesOf({ subscriptions }: EnginesFacts, most: number): ChannelName[] {
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
  readonly replicas: readonly NodeReport[];
  readonly probes: ReadonlyMap<NodeKey, ProbeResult>;
}

function report(
  { masters, replicas, probes }: Reports,
  facts: EnginesFacts,
  limits: HealthLimits,
): PubSubHealth {
  const { maxNames, unconfirmedFor } = limits;
  const unconfirmed = facts.unconfirmed(unconfirmedFor);
  const nodes = [...masters, ...replicas];
  const answers = nodes.flatMap(({ answer }) => answer ?? []);
  const found = {
    ...own(facts, unconfirmed, maxNames),
    numsub: summed(answers.map(({ numsub }) => numsub)),
    shardNumsub: summed(answers.map(({ shardNumsub }) => shardNumsub)),
  };
  const masterNodes = masters.map((master) => masterHealth(master, facts, probes.get(master.node)));
  return {
    ...judge({ masters, replicas, probes, unconfirmed, found }, limits),
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
    activeChannels: active(answers, ({ channels }) => channels, maxNames),
    shardChannels: active(answers, ({ shardChannels }) => shardChannels, maxNames),
    patterns: answers.reduce((total, { patterns }) => total + patterns, 0),
    complete: nodes.every(({ answer }) => answer !== undefined && answer.refusal === undefined),
  };
}

/** What there is to tell where there is not even an engine. */
export function healthWithout(error: unknown): PubSubHealth {
  return unasked(error, new EnginesFacts([]), readHealthOptions({}));
}

/** What is left to tell where the cluster cannot be asked. */
function unasked(error: unknown, facts: EnginesFacts, limits: HealthLimits): PubSubHealth {
  const nobody: ActiveChannels = { count: 0, names: [] };
  return {
    status: 'down',
    reasons: [error instanceof Error ? error.message : String(error)],
    ...(error instanceof ClusterPubSubError && { code: error.code }),
    at: new Date(),
    engine: facts.status,
    masters: { known: 0, subscribed: 0, reachable: 0, nodes: [] },
    replicas: { known: 0, reachable: 0 },
    ...own(facts, facts.unconfirmed(limits.unconfirmedFor), limits.maxNames),
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
  facts: EnginesFacts,
  unconfirmed: readonly UnconfirmedSubscription[],
  maxNames: number,
): Pick<PubSubHealth, 'subscriptions' | 'lastGap' | 'queues'> {
  const { subscriptions, waitingForSubscribers, unread } = facts;
  return {
    subscriptions: {
      desired: subscriptions.length,
      confirmed: subscriptions.filter(({ standing }) => standing.size > 0).length,
      unconfirmed: unconfirmed.slice(0, maxNames),
    },
    lastGap: facts.lastGap(maxNames),
    queues: { waitingForNodes: facts.waitingForNodes(), waitingForSubscribers, unread },
  };
}

function masterHealth(
  { node, answer }: NodeReport,
  facts: EnginesFacts,
  probe: ProbeResult | undefined,
): MasterHealth {
  const heartbeat = probe === undefined ? facts.heartbeat(node) : probe.is === 'back' ? probe.ms : undefined;
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

function summed(counts: readonly (ReadonlyMap<ChannelName, number> | undefined)[]): Record<string, number> {
  const sums = sumByChannel(counts.filter((count) => count !== undefined));
  return Object.fromEntries([...sums].map(([name, count]) => [distinctName(channelKey(name)), count]));
}

function active(
  answers: readonly NodeAnswer[],
  namesOfNode: (answer: NodeAnswer) => readonly ChannelKey[],
  most: number,
): ActiveChannels {
  const names = new Set<ChannelKey>();
  const shown: string[] = [];
  // A plain loop: there may be very many.
  for (const answer of answers) {
    for (const name of namesOfNode(answer)) {
      names.add(name);
      if (names.size > shown.length && shown.length < most) {
        shown.push(distinctName(name));
      }
    }
  }
  return { count: names.size, names: shown.sort() };
}

/** To the hundredth of a ms. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 100) / 100;
}
