// npm run bench:health: the cost of 200 health checks per second, as by a busy load balancer. See docs/health.md.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Ours from 'nestjs-cluster-pubsub';
import { Brokers } from '../brokers/brokers.js';
import { cpuOf } from '../brokers/process-stats.js';
import { median } from '../report/statistics.js';
import type { Orders, Window, WindowCost } from './app.js';

/** Calls per second. */
const rate = 200;

/** The promise of docs/health.md, as a share of one core. */
const promised = 0.02;

/** Channels in the cluster: those of one service, and those of a large system. */
const sizes = [100, 10_000];

/** Channels that the service itself handles. */
const handlers = 100;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '12' }, window: { type: 'string', default: '2000' } },
});
const rounds = Number(values.rounds);
const window = Number(values.window);

const { ClusterPubSub } = (await import(
  new URL('../../dist/esm/index.js', import.meta.url).href
)) as typeof Ours;
const brokers = await Brokers.start();
try {
  const nodes = [...(await brokers.place()).nodes];
  let kept = true;
  for (const channels of sizes) {
    const others = new ClusterPubSub({ nodes });
    const names = Array.from({ length: channels - handlers }, (_, index) => `bench.others.${index}`);
    if (names.length > 0) await others.subscribe(names);
    kept = (await measure(nodes, channels)) && kept;
    await others.close();
  }
  process.exitCode = kept ? 0 : 1;
} finally {
  await brokers.stop();
}

/** Alternates windows with and without calls, so that other load of the machine is in both. */
async function measure(nodes: Orders['nodes'], channels: number): Promise<boolean> {
  const app = fork(fileURLToPath(new URL('app.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  try {
    app.send({ nodes, handlers } satisfies Orders);
    await once(app, 'message');
    // As many calls as a load balancer makes in a minute, so that hot code is compiled.
    await costOf(app, { ms: 6_000, rate: 2_000 });
    const costs: number[] = [];
    const brokerCosts: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const idle = await costOf(app, { ms: window, rate: 0 });
      const busy = await costOf(app, { ms: window, rate });
      if (busy.notUp > 0) throw new Error(`${busy.notUp} of ${busy.calls} calls did not return "up".`);
      costs.push(busy.cpu - idle.cpu);
      brokerCosts.push(busy.broker - idle.broker);
    }
    const cost = median(costs);
    const words = [
      `${channels} channels: ${rate} calls per second cost ${percent(cost)} of a core`,
      `(${percent(Math.min(...costs))}–${percent(Math.max(...costs))}, ${rounds} rounds of ${window} ms),`,
      `and all six nodes together ${percent(median(brokerCosts))};`,
      `promised: under ${percent(promised)}: ${cost < promised ? 'kept' : 'NOT KEPT'}`,
    ];
    console.log(words.join(' '));
    return cost < promised;
  } finally {
    app.kill('SIGKILL');
    await once(app, 'exit');
  }
}

async function costOf(app: ChildProcess, asked: Window): Promise<WindowCost & { readonly broker: number }> {
  const pids = brokers.pidsOf('cluster');
  const before = cpuOf(pids) ?? 0;
  app.send(asked);
  const [cost] = (await once(app, 'message')) as [WindowCost];
  return { ...cost, broker: ((cpuOf(pids) ?? 0) - before) / 1_000 / asked.ms };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
