// npm run bench: peers side by side, and what this package is measured by. See bench/README.md.
import { Brokers } from './brokers/brokers.js';
import { readOptions } from './options.js';
import { throughput } from './sections/throughput.js';
import { printThroughput } from './report/print.js';

const options = readOptions(process.argv.slice(2));
const brokers = await Brokers.start(undefined, options.arms.includes('nest-nats'));
try {
  const samples = await throughput(brokers, options);
  printThroughput(samples, options.arms);
} finally {
  await brokers.stop();
}
