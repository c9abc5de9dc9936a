// Measures how long recovery takes: npm run test:chaos:measure [-- --runs 10]. Writes the tables of docs/resilience.md.
import type { MessageHandler } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSub, ClusterPubSubClient, ClusterPubSubServer } from '../../src/index.js';
import { slotOf } from '../../src/pubsub/common/channel-name.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' } } });
const runs = Number(values.runs);
const nodeTimeout = 2_000;
const document = new URL('../../docs/resilience.md', import.meta.url);

/** A cluster, an engine that is subscribed to `count` shard channels of one master, and the record of their messages. */
class Scene {
  readonly lostAt: number[] = [];
  backAt = 0;
  readonly back: Promise<void>;

  private constructor(
    readonly cluster: LocalCluster,
    readonly pubsub: ClusterPubSub,
    readonly victim: { readonly port: number },
    readonly channels: readonly string[],
  ) {
    pubsub.on('interrupted', () => this.lostAt.push(performance.now()));
    pubsub.on('error', () => undefined);
    let names = 0;
    this.back = new Promise((resolve) => {
      pubsub.on('gap', (gap) => {
        names += gap.names.length;
        if (names >= channels.length) {
          this.backAt = performance.now();
          resolve();
        }
      });
    });
  }

  static async start(count: number): Promise<Scene> {
    const cluster = await startLocalCluster({ masters: 3, replicas: 1, nodeTimeout });
    const pubsub = new ClusterPubSub(
      { nodes: cluster.nodes, shared: false },
      { ignoreSubscribeMessages: true },
    );
    await pubsub.connect();
    const [victim] = await cluster.masters();
    const channels: string[] = [];
    for (let i = 0; channels.length < count; i++) {
      if (pubsub.nodeOf(`channel.${i}`) === `127.0.0.1:${victim!.port}`) channels.push(`channel.${i}`);
    }
    const scene = new Scene(cluster, pubsub, victim!, channels);
    await pubsub.ssubscribe(Object.fromEntries(channels.map((name) => [name, () => undefined])));
    return scene;
  }

  /** Resolves when the victim's replica reports that it is the master. */
  async promoted(): Promise<number> {
    const [replica] = await this.cluster.replicasOf(this.victim);
    const redis = new Redis({ port: replica!.port, protocol: 2 });
    try {
      await redis.ping();
      await this.cluster.kill(this.victim);
      for (;;) {
        const [role] = (await redis.role()) as [string];
        if (role === 'master') return performance.now();
        await sleep(1);
      }
    } finally {
      redis.disconnect();
    }
  }

  async end(): Promise<void> {
    await this.pubsub.close();
    await this.cluster.stop();
  }
}

/** Sends requests one after the other to handlers on other masters than the victim. */
class OtherShards {
  longest = 0;
  failed = 0;
  asked = 0;
  #running = true;
  readonly #done: Promise<void>;

  private constructor(
    private readonly server: ClusterPubSubServer,
    private readonly client: ClusterPubSubClient,
    patterns: readonly string[],
  ) {
    this.#done = this.#ask(patterns);
  }

  static async start({ cluster, pubsub, victim }: Scene): Promise<OtherShards> {
    const patterns: string[] = [];
    for (let i = 0; patterns.length < 8; i++) {
      if (pubsub.nodeOf(`ask.${i}`) !== `127.0.0.1:${victim.port}`) patterns.push(`ask.${i}`);
    }
    const server = new ClusterPubSubServer({ nodes: cluster.nodes });
    const client = new ClusterPubSubClient({ nodes: cluster.nodes });
    const handler: MessageHandler = (data: unknown) => Promise.resolve(data);
    for (const pattern of patterns) server.addHandler(pattern, handler);
    await new Promise<void>((resolve, reject) => {
      void server.listen((error) => {
        if (error === undefined) resolve();
        else
          reject(error instanceof Error ? error : new Error('The server does not listen.', { cause: error }));
      });
    });
    // The inboxes are subscribed with the first requests.
    for (const pattern of patterns) await lastValueFrom(client.send(pattern, 0));
    return new OtherShards(server, client, patterns);
  }

  async end(): Promise<void> {
    this.#running = false;
    await this.#done;
    await this.client.close();
    await this.server.close();
  }

  async #ask(patterns: readonly string[]): Promise<void> {
    while (this.#running) {
      const start = performance.now();
      await lastValueFrom(this.client.send(patterns[this.asked % patterns.length]!, this.asked)).catch(
        () => (this.failed += 1),
      );
      this.longest = Math.max(this.longest, performance.now() - start);
      this.asked += 1;
      await sleep(2);
    }
  }
}

async function kill(count: number, withRequests: boolean) {
  const scene = await Scene.start(count);
  const others = withRequests ? await OtherShards.start(scene) : undefined;
  const killedAt = performance.now();
  const promotedAt = await scene.promoted();
  await scene.back;
  await others?.end();
  await scene.end();
  return {
    promotion: promotedAt - killedAt,
    recovery: scene.backAt - promotedAt,
    longest: others?.longest ?? 0,
    failed: others?.failed ?? 0,
    asked: others?.asked ?? 0,
  };
}

async function pause(): Promise<number> {
  const scene = await Scene.start(100);
  await scene.cluster.pause(scene.victim);
  const pausedAt = performance.now();
  await scene.back;
  await scene.cluster.resume(scene.victim);
  await scene.end();
  return scene.lostAt[0]! - pausedAt;
}

/** Measures the share of one core, in percent, that ten thousand idle subscriptions take. */
async function idleCpu(seconds: number): Promise<number> {
  const scene = await Scene.start(10_000);
  await sleep(2_000);
  const before = process.cpuUsage();
  await sleep(seconds * 1_000);
  const { user, system } = process.cpuUsage(before);
  await scene.end();
  return (user + system) / 1_000 / ((seconds * 1_000) / 100);
}

/** Publishes 5,000 numbered messages a second on channels whose slots all move, and accounts for them. */
async function movedUnderLoad(move: (scene: Scene) => Promise<void>) {
  const scene = await Scene.start(50);
  const publisher = new ClusterPubSub({ nodes: scene.cluster.nodes, shared: false }, { sequence: true });
  const sent = new Map(scene.channels.map((name) => [name, 0]));
  const came = new Map<string, string[]>(scene.channels.map((name) => [name, []]));
  let gaps = 0;
  let refused = 0;
  scene.pubsub.on('gap', () => (gaps += 1));
  await scene.pubsub.ssubscribe(
    Object.fromEntries(scene.channels.map((name) => [name, ({ data }) => came.get(name)?.push(data)])),
  );
  await publisher.connect();
  const pending: Promise<unknown>[] = [];
  const started = performance.now();
  let total = 0;
  const clock = setInterval(() => {
    for (const due = (performance.now() - started) * 5; total < due; total++) {
      const name = scene.channels[total % scene.channels.length]!;
      const number = sent.get(name)!;
      sent.set(name, number + 1);
      pending.push(publisher.spublish(name, String(number)).catch(() => (refused += 1)));
    }
  }, 1);
  await sleep(500);
  await move(scene);
  await sleep(1_500);
  clearInterval(clock);
  await Promise.all(pending);
  await publisher.spublish(scene.channels[0]!, 'last');
  await sleep(200);
  let lost = 0;
  let twice = 0;
  let disorder = 0;
  for (const [name, data] of came) {
    const numbers = data.filter((text) => text !== 'last').map(Number);
    lost += sent.get(name)! - new Set(numbers).size;
    twice += numbers.length - new Set(numbers).size;
    disorder += numbers.filter((number, at) => number < (numbers[at - 1] ?? -1)).length;
  }
  await publisher.close();
  await scene.end();
  return { total, lost, twice, disorder, gaps, refused };
}

async function failOver({ cluster, victim }: Scene): Promise<void> {
  const [replica] = await cluster.replicasOf(victim);
  await cluster.failover(replica!);
}

async function migrate({ cluster, channels, victim }: Scene): Promise<void> {
  const target = (await cluster.masters()).find(({ port }) => port !== victim.port)!;
  for (const slot of new Set(channels.map(slotOf))) await cluster.moveSlot(slot, target);
}

function account(runs: readonly Awaited<ReturnType<typeof movedUnderLoad>>[]): string {
  const sum = (key: keyof (typeof runs)[number]): number => runs.reduce((total, run) => total + run[key], 0);
  return (
    `${sum('total')} published in ${runs.length} runs: ${sum('lost')} lost, ${sum('twice')} duplicated, ` +
    `${sum('disorder')} out of order, ${sum('refused')} refused, ${sum('gaps')} gaps`
  );
}

async function repeat<T>(times: number, act: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < times; i++) {
    results.push(await act());
    console.log(
      JSON.stringify(results.at(-1), (_, value: unknown) =>
        typeof value === 'number' ? Math.round(value) : value,
      ),
    );
  }
  return results;
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const middle =
    (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
  return `${middle.toFixed(0)} (${sorted[0]!.toFixed(0)}–${sorted.at(-1)!.toFixed(0)}, ${sorted.length} runs)`;
}

const killed = await repeat(runs, () => kill(100, true));
const many = await repeat(3, () => kill(10_000, false));
const paused = await repeat(5, pause);
const failedOver = await repeat(5, () => movedUnderLoad(failOver));
const migrated = await repeat(5, () => movedUnderLoad(migrate));
const cpu = await idleCpu(10);
const rows = [
  [
    'kill -9 of a master: Redis promotes its replica after',
    `${spread(killed.map(({ promotion }) => promotion))} ms`,
  ],
  [
    '… all 100 shard channels confirmed there, after the promotion',
    `${spread(killed.map(({ recovery }) => recovery))} ms`,
  ],
  ['… longest request to the other shards meanwhile', `${spread(killed.map(({ longest }) => longest))} ms`],
  [
    '… requests to the other shards that failed',
    `${killed.reduce((sum, { failed }) => sum + failed, 0)} of ${killed.reduce((sum, { asked }) => sum + asked, 0)}`,
  ],
  [
    '… 10,000 shard channels confirmed, after the promotion',
    `${spread(many.map(({ recovery }) => recovery))} ms`,
  ],
  ['SIGSTOP of a master: detected after', `${spread(paused)} ms`],
  ['planned failover with 5,000 numbered messages/s on its slots', account(failedOver)],
  ['migration of 50 slots, one after the other, with 5,000 numbered messages/s on them', account(migrated)],
  ['10,000 idle subscriptions use', `${cpu.toFixed(2)} % of a core`],
];
const table = [
  `\`npm run test:chaos:measure\`, Redis 7.0, \`cluster-node-timeout\` ${nodeTimeout} ms, 3 masters and 3 replicas, everything on 2 cores; median (lowest–highest).`,
  '',
  '| | |',
  '| --- | --- |',
  ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
].join('\n');
console.log(table);
const text = readFileSync(document, 'utf8');
writeFileSync(
  document,
  text.replace(/(<!-- recovery:start -->\n)[^]*?(<!-- recovery:end -->)/, `$1\n${table}\n\n$2`),
);
