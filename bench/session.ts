import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ArmName, brokerOf } from './arms/index.js';
import type { Brokers, Traffic } from './brokers/brokers.js';
import { cpuOf } from './brokers/process-stats.js';
import { Member } from './members/member.js';
import { type Part, parts, type Shares } from './members/profile.js';
import type { Latency, Load, Mark, Outcome } from './members/protocol.js';

export interface SessionPlan {
  readonly arm: ArmName;
  readonly clients?: number;
  readonly servers?: number;
  readonly requests?: readonly string[];
  readonly events?: readonly string[];
}

/** ms before and during a measurement. */
export interface Pace {
  readonly warmUp: number;
  readonly window: number;
}

/** The measurements of one load over its window. */
export interface Measurement {
  /** Requests answered to all clients, or events handled by all servers, per second. */
  readonly rate: number;
  /** CPU time in μs of all clients, all servers and the whole broker, per message. */
  readonly clientCpu: number;
  readonly serverCpu: number;
  readonly brokerCpu: number | undefined;
  /** Bytes on the clients' connections, both ways, per message. */
  readonly clientBytes: number;
  /** Messages that reached one client per answer of its own. */
  readonly arrivals: number | undefined;
  /** Bytes between Redis and its clients, and from node to node, per message. */
  readonly brokerBytes: number | undefined;
  readonly busBytes: number | undefined;
  /** The largest of the clients, and of the servers, at the end. */
  readonly clientRss: number;
  readonly serverRss: number;
  /** 99th percentile of the event loop delay in ms, of the slowest process. */
  readonly clientLoopDelay: number;
  readonly serverLoopDelay: number;
  /** Set at a fixed rate only. */
  readonly latency: Latency | undefined;
  /** Messages that did not arrive, or failed, from the first to the last. */
  readonly lost: number;
  readonly firstError?: string;
}

/** μs of CPU time for each message. */
export interface ProfileOfBoth {
  readonly client: Readonly<Record<Part, number>>;
  readonly server: Readonly<Record<Part, number>>;
}

let sessions = 0;

/** The clients and servers of one arm, in fresh processes. */
export class Session {
  private constructor(
    private readonly clients: readonly Member[],
    private readonly servers: readonly Member[],
    private readonly broker: { readonly pids: readonly number[]; traffic(): Promise<Traffic | undefined> },
    private readonly receipts: readonly string[],
  ) {}

  static async start(brokers: Brokers, plan: SessionPlan): Promise<Session> {
    const { arm, requests = [], events = [] } = plan;
    const place = await brokers.place();
    const clients = members(`client of ${arm}`, plan.clients ?? 1);
    const servers = members(`server of ${arm}`, plan.servers ?? 1);
    // Only one client emits where there are several.
    const receipts = events.length === 0 ? [] : [join(tmpdir(), `bench-${process.pid}-${sessions++}.sock`)];
    const [receiptsOf] = receipts;
    const reporting = receiptsOf === undefined ? {} : { receipts: receiptsOf };
    const broker = {
      pids: brokers.pidsOf(brokerOf(arm)),
      traffic: async () => (brokerOf(arm) === 'cluster' ? brokers.traffic() : undefined),
    };
    const session = new Session(clients, servers, broker, receipts);
    try {
      const serve = (server: Member): Promise<void> =>
        server.order('serve', { arm, place, requests, events, ...reporting });
      const connect = (client: Member, index: number): Promise<void> =>
        client.order('connect', { arm, place, ...(index === 0 ? reporting : {}) });
      await Promise.all(servers.map(serve));
      await Promise.all(clients.map(connect));
      return session;
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  /** All clients at once, each with the load. */
  async measure(load: Load, { warmUp, window }: Pace): Promise<Measurement> {
    await Promise.all(this.clients.map((client) => client.order('begin', load)));
    await pause(warmUp);
    const before = await this.#marks();
    await pause(window);
    const after = await this.#marks();
    const outcomes = await Promise.all(this.clients.map((client) => client.order('stop')));
    return measurementOf(load, before, after, outcomes);
  }

  /** Runs a load without measuring it, so that code is compiled and buffers are allocated. */
  async warmUp(load: Load, ms: number): Promise<void> {
    await Promise.all(this.clients.map((client) => client.order('begin', load)));
    await pause(ms);
    await Promise.all(this.clients.map((client) => client.order('stop')));
  }

  /** Measures, and profiles one client and one server meanwhile. */
  async profile(
    load: Load,
    { warmUp, window }: Pace,
  ): Promise<{ measured: Measurement; profile: ProfileOfBoth }> {
    const [client, server] = [this.clients[0]!, this.servers[0]!];
    await client.order('begin', load);
    await pause(warmUp);
    await Promise.all([client.order('startProfile'), server.order('startProfile')]);
    const before = await this.#marks();
    await pause(window);
    const after = await this.#marks();
    const shares = { client: await client.order('stopProfile'), server: await server.order('stopProfile') };
    const measured = measurementOf(load, before, after, [await client.order('stop')]);
    return {
      measured,
      profile: {
        client: inTime(shares.client, measured.clientCpu),
        server: inTime(shares.server, measured.serverCpu),
      },
    };
  }

  async end(): Promise<void> {
    await Promise.all([...this.clients, ...this.servers].map((member) => member.end()));
    for (const path of this.receipts) rmSync(path, { force: true });
  }

  async #marks(): Promise<Marks> {
    const brokerCpu = cpuOf(this.broker.pids);
    const [clients, servers, traffic] = await Promise.all([
      Promise.all(this.clients.map((client) => client.order('mark'))),
      Promise.all(this.servers.map((server) => server.order('mark'))),
      this.broker.traffic(),
    ]);
    return { clients, servers, brokerCpu, brokerBytes: traffic?.clients, busBytes: traffic?.bus };
  }
}

interface Marks {
  readonly clients: readonly Mark[];
  readonly servers: readonly Mark[];
  readonly brokerCpu: number | undefined;
  readonly brokerBytes: number | undefined;
  readonly busBytes: number | undefined;
}

function measurementOf(load: Load, before: Marks, after: Marks, outcomes: readonly Outcome[]): Measurement {
  const clients = windowsOf(before.clients, after.clients);
  const servers = windowsOf(before.servers, after.servers);
  const counted = load.kind === 'events' ? servers : clients;
  const done = sum(counted, ({ done }) => done);
  const rate = sum(counted, ({ done, ms }) => (done / ms) * 1_000);
  const arrivals = clients.map(({ arrivals }) => arrivals).filter((count) => count !== undefined);
  const [first] = after.clients;
  const perMessage = (name: 'brokerCpu' | 'brokerBytes' | 'busBytes'): number | undefined => {
    const [from, to] = [before[name], after[name]];
    return from === undefined || to === undefined ? undefined : (to - from) / done;
  };
  const error = outcomes.find(({ firstError }) => firstError !== undefined)?.firstError;
  return {
    rate,
    clientCpu: sum(clients, ({ cpu }) => cpu) / done,
    serverCpu: sum(servers, ({ cpu }) => cpu) / done,
    brokerCpu: perMessage('brokerCpu'),
    clientBytes: sum(clients, ({ bytes }) => bytes) / done,
    arrivals: arrivals.length === 0 ? undefined : sum(arrivals, (count) => count) / done,
    brokerBytes: perMessage('brokerBytes'),
    busBytes: perMessage('busBytes'),
    clientRss: highest(after.clients, ({ rss }) => rss),
    serverRss: highest(after.servers, ({ rss }) => rss),
    clientLoopDelay: highest(after.clients, ({ loopDelay }) => loopDelay),
    serverLoopDelay: highest(after.servers, ({ loopDelay }) => loopDelay),
    latency: first?.latency,
    lost: sum(outcomes, ({ sent, arrived }) => sent - arrived),
    ...(error === undefined ? {} : { firstError: error }),
  };
}

function inTime(shares: Shares, cpu: number): Record<Part, number> {
  return Object.fromEntries(parts.map((part) => [part, shares[part] * cpu])) as Record<Part, number>;
}

function windowsOf(before: readonly Mark[], after: readonly Mark[]) {
  return after.map((mark, index) => {
    const start = before[index]!;
    return {
      ms: mark.at - start.at,
      done: mark.done - start.done,
      cpu: mark.cpu - start.cpu,
      bytes: mark.bytes - start.bytes,
      arrivals: mark.arrivals === undefined ? undefined : mark.arrivals - (start.arrivals ?? 0),
    };
  });
}

function members(name: string, count: number): Member[] {
  return Array.from({ length: count }, (_, index) => new Member(`${name} (${index + 1})`));
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function highest<T>(items: readonly T[], of: (item: T) => number): number {
  return Math.max(...items.map(of));
}
