import { setTimeout as pause } from 'node:timers/promises';
import type { Brokers } from '../brokers/brokers.js';
import { median } from '../report/statistics.js';
import { Fleet } from './fleet.js';
import { callsBetween, NodeCounters } from './node-counters.js';
import type { Idle, MemoryCost, Restart } from './results.js';
import type { Kind, Place } from './service.js';

/**
 * After a start, so that what follows it is not part of the idle interval, in ms: V8 compiles and collects for some 10 s,
 * at 1.8 % of a core where 0.3 % are left after that.
 */
const settleTime = 15_000;

/** Measures without any link are for comparison only, in s. */
const secondsWithoutLinks = 4;

/** As many as 2 cores start in a second. */
export const servicesPerProcess = 25;

/** Services of a process whose memory is measured. */
const servicesForMemory = 26;

/** Measures one cluster with a growing fleet. */
export class FleetMeasurement {
  readonly #fleet: Fleet;
  #nodesCpuBefore: number | undefined;

  private constructor(
    private readonly brokers: Brokers,
    private readonly counters: NodeCounters,
    kind: Kind,
    place: Place,
  ) {
    this.#fleet = new Fleet(kind, place, servicesPerProcess);
  }

  static async start(brokers: Brokers, kind: Kind): Promise<FleetMeasurement> {
    const place = await brokers.place();
    const counters = new NodeCounters(place.nodes, brokers.pidsOf('cluster'));
    const measurement = new FleetMeasurement(brokers, counters, kind, place);
    const { nodesCpu } = await measurement.#window(secondsWithoutLinks);
    measurement.#nodesCpuBefore = nodesCpu;
    return measurement;
  }

  /** An idle interval with as many links. */
  async idle(links: number, seconds: number): Promise<Idle> {
    await this.#fleet.grow(links);
    await pause(settleTime);
    const connections = await this.counters.connections();
    const window = await this.#window(seconds);
    return {
      masters: connections.length,
      links,
      processes: this.#fleet.processes,
      connections,
      ...window,
      nodesCpuBefore: this.#nodesCpuBefore,
    };
  }

  /** Closes all services and starts them again at once. */
  async restartServices(): Promise<Restart> {
    const { size: links, cpu } = this.#fleet;
    const before = await this.counters.read();
    const ready = await this.#fleet.restart();
    const after = await this.counters.read();
    const calls = [...callsBetween(before, after)];
    return {
      ...this.#restart('services', ready, cpu),
      connectionsOpened: (after.accepted - before.accepted) / links,
      commands: Object.fromEntries(calls.map(([name, count]) => [name, count / links])),
    };
  }

  /** Kills all nodes and starts them again. The last measurement: the counters of the nodes begin at 0. */
  async restartNodes(): Promise<Restart> {
    const { cluster } = this.brokers;
    await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
    const killed = Date.now();
    const { cpu } = this.#fleet;
    const answers = this.#fleet.askUntilAnswered();
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
    const nodesWork = Date.now() - killed;
    const ready = (await answers).map((at) => at - killed);
    return { ...this.#restart('nodes', ready, cpu), nodesWork };
  }

  async end(): Promise<void> {
    this.counters.close();
    await this.#fleet.end();
  }

  #restart(of: Restart['of'], times: readonly number[], cpuBefore: number | undefined): Restart {
    const { size: links, processes, cpu } = this.#fleet;
    return {
      of,
      links,
      processes,
      ready: { median: median(times), max: Math.max(...times) },
      cpu: cpu === undefined || cpuBefore === undefined ? undefined : (cpu - cpuBefore) / 1_000 / links,
    };
  }

  async #window(seconds: number): Promise<Pick<Idle, 'commands' | 'nodesCpu' | 'processesCpu'>> {
    const cpuBefore = this.#fleet.cpu;
    const before = await this.counters.read();
    await pause(seconds * 1_000);
    const after = await this.counters.read();
    const ms = after.at - before.at;
    const share = (from: number | undefined, to: number | undefined): number | undefined =>
      from === undefined || to === undefined ? undefined : (to - from) / 1_000 / ms;
    return {
      commands: Object.fromEntries(
        [...callsBetween(before, after)].map(([name, count]) => [name, (count * 1_000) / ms]),
      ),
      nodesCpu: share(before.cpu, after.cpu),
      processesCpu: share(cpuBefore, this.#fleet.cpu),
    };
  }
}

/** The memory of a process with many services over that of one with one, for each further one. */
export async function memoryOf(brokers: Brokers, kind: Kind): Promise<MemoryCost> {
  const fleet = new Fleet(kind, await brokers.place(), servicesForMemory);
  try {
    await fleet.grow(1);
    const one = await fleet.memory();
    await fleet.grow(servicesForMemory);
    const many = await fleet.memory();
    const further = servicesForMemory - 1;
    return {
      services: servicesForMemory,
      heap: (many.heap - one.heap) / further,
      rss: (many.rss - one.rss) / further,
    };
  } finally {
    await fleet.end();
  }
}
