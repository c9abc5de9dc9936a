import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import type { Options } from './options.js';

/** What numbers depend on besides what they measure. */
export interface Conditions {
  readonly day: string;
  readonly cores: number;
  /** Of the last minute before the run: what others were doing on the machine. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly seed: number;
  readonly warmUp: number;
  readonly window: number;
}

export function conditionsOf({ rounds, seed, pace }: Options): Conditions {
  const [loadBefore = 0] = loadavg();
  const cores = availableParallelism();
  if (loadBefore > cores / 2) {
    console.error(
      `The machine is busy (load average ${loadBefore.toFixed(1)}): trust the ratios little, and the rates not at all.`,
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
