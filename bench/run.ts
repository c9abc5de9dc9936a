// npm run bench: compares the arms, and checks the targets of this package. See bench/README.md.
import { Brokers } from './brokers/brokers.js';
import { brokerCeiling } from './brokers/redis-benchmark.js';
import { conditionsOf } from './conditions.js';
import { type Options, readOptions } from './options.js';
import { printReport } from './report/print.js';
import { writeJson, writeResults } from './report/write.js';
import type { Results } from './results.js';
import { latency } from './sections/latency.js';
import { linkMemory, memory } from './sections/memory.js';
import { profile } from './sections/profile.js';
import { scaling } from './sections/scaling.js';
import { throughput } from './sections/throughput.js';

const options = readOptions(process.argv.slice(2));
const results = await measure(options);
printReport(results, options.arms);

async function measure(asked: Options): Promise<Results> {
  const conditions = conditionsOf(asked);
  let results: Results = { conditions, samples: [] };
  // After each part, so that an interrupted run keeps its measurements.
  const add = async (more: Omit<Results, 'conditions'>): Promise<void> => {
    results = { ...results, ...more, samples: [...results.samples, ...more.samples] };
    if (asked.json !== undefined) writeJson(asked.json, results);
    if (asked.writes) await writeResults(results);
  };
  const brokers = await Brokers.start(undefined, asked.arms.includes('nest-nats'));
  try {
    const runs = (section: (typeof asked.sections)[number]): boolean => asked.sections.includes(section);
    const options = brokers.hasNats ? asked : withoutNats(asked);
    if (runs('requests') || runs('events')) {
      const samples = await throughput(brokers, options);
      // Only together with the other ceiling.
      const withCeiling = runs('events') && options.arms.includes('hand-written');
      const ceiling = withCeiling ? await brokerCeiling(brokers) : undefined;
      await add({ samples, ...(ceiling === undefined ? {} : { ceiling }) });
    }
    if (runs('latency')) await add({ samples: await latency(brokers, options, results.samples) });
    if (runs('scaling')) await add({ samples: await scaling(brokers, options) });
    if (runs('profile')) await add({ samples: await profile(brokers, options) });
    if (runs('memory')) {
      await add({ samples: await memory(brokers, options), link: await linkMemory(brokers) });
    }
    return results;
  } finally {
    await brokers.stop();
  }
}

function withoutNats(options: Options): Options {
  if (options.arms.includes('nest-nats')) {
    console.error('nats-server was not found and could not be installed: skipping Nest NATS.');
  }
  return { ...options, arms: options.arms.filter((arm) => arm !== 'nest-nats') };
}
