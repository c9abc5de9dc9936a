import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import type { Options } from './options.js';

/** The conditions of a run that its numbers depend on. */
export interface Conditions {
  readonly day: string;
  readonly cores: number;
  /** Load average of the last minute before the run. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly seed: number;
  readonly warmUp: number;
  readonly window: number;
}

export function conditionsOf({ rounds, seed, pace }: Pick<Options, 'rounds' | 'seed' | 'pace'>): Conditions {
  const [loadBefore = 0] = loadavg();
  const cores = availableParallelism();
  if (loadBefore > cores / 2) {
    console.error(
      `The machine is busy (load average ${loadBefore.toFixed(1)}): ratios are less reliable, and rates are not reliable.`,
    );
  }
  return {
    day: new Date().toISOString().slice(0, 10),
    cores,
    loadBefore: Number(loadBefore.toFixed(2)),
    versions: {
      Node: process.versions.node,
      ioredis: versionOf('ioredis'),
      Nest: versionOf('@nestjs/microservices'),
      'redis-server': versionSaidBy('redis-server'),
      'nats-server': versionSaidBy('nats-server'),
    },
    rounds,
    seed,
    ...pace,
  };
}

function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function versionSaidBy(program: string): string {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' }) as { stdout: string | null };
  return /\d+\.\d+\.\d+/.exec(stdout ?? '')?.[0] ?? 'none';
}
