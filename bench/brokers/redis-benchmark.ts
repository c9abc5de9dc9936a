import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Brokers } from './brokers.js';

const run = promisify(execFile);
const messages = 300_000;
const channel = 'bench.event';

/** Publishes per second of redis-benchmark to one node, 32 bytes each, without subscribers. */
export interface BrokerCeiling {
  readonly publish: number;
  readonly spublish: number;
}

/** Undefined where redis-benchmark is not installed. */
export async function brokerCeiling(brokers: Brokers): Promise<BrokerCeiling | undefined> {
  const owner = await brokers.ownerOf(channel);
  try {
    const publish = await rateOf(owner.port, 'PUBLISH');
    return { publish, spublish: await rateOf(owner.port, 'SPUBLISH') };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function rateOf(port: number, command: string): Promise<number> {
  const options = ['-p', String(port), '-n', String(messages), '-c', '50', '-P', '16', '-q'];
  const { stdout } = await run('redis-benchmark', [...options, command, channel, 'x'.repeat(32)]);
  const rate = /([\d.]+) requests per second/.exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark said something else: ${stdout.slice(-200)}`);
  return Number(rate);
}
