// npm run bench: peers side by side, and whether this package is what it promises to be. See bench/README.md.
import { Brokers } from './brokers/brokers.js';
import { brokerCeiling } from './brokers/redis-benchmark.js';
import { conditionsOf } from './conditions.js';
import { type Options, readOptions } from './options.js';
import { printReport } from './report/print.js';
import { writeJson, writeResults } from './report/write.js';
import type { Results } from './results.js';
import { latency } from './sections/latency.js';
import { scaling } from './sections/scaling.js';
import { throughput } from './sections/throughput.js';

const options = readOptions(process.argv.slice(2));
const results = await measure(options);
printReport(results, options.arms);
if (options.json !== undefined) writeJson(options.json, results);
if (options.writes) await writeResults(results);

async function measure(asked: Options): Promise<Results> {
  const conditions = conditionsOf(asked);
  const began = performance.now();
  const brokers = await Brokers.start(undefined, asked.arms.includes('nest-nats'));
  try {
    const runs = (section: (typeof asked.sections)[number]): boolean => asked.sections.includes(section);
    const options = brokers.hasNats ? asked : withoutNats(asked);
    const fast = runs('requests') || runs('events') ? await throughput(brokers, options) : [];
    // Beside the other ceiling, or not at all.
    const ceiling =
      runs('events') && options.arms.includes('hand-written') ? await brokerCeiling(brokers) : undefined;
    const slow = runs('latency') ? await latency(brokers, options, fast) : [];
    const grown = runs('scaling') ? await scaling(brokers, options) : [];
    return {
      conditions: { ...conditions, seconds: Math.round((performance.now() - began) / 1_000) },
      samples: [...fast, ...slow, ...grown],
      ...(ceiling === undefined ? {} : { ceiling }),
    };
  } finally {
    await brokers.stop();
  }
}

function withoutNats(options: Options): Options {
  if (options.arms.includes('nest-nats')) {
    console.error('There is no nats-server here, and none could be installed: Nest NATS is left out.');
  }
  return { ...options, arms: options.arms.filter((arm) => arm !== 'nest-nats') };
}
