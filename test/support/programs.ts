import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { join } from 'node:path';

/**
 * Starts one of our TypeScript programs, by its path from the root of the repository. In a run of Jest that is what its
 * global set-up has compiled; elsewhere tsx compiles it.
 */
export function startProgram(
  path: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): ChildProcess {
  const runnable =
    process.env.COMPILED_PROGRAMS === undefined
      ? ['--import', 'tsx', join(process.cwd(), path)]
      : [join(compiledPrograms(), path.replace(/\.ts$/, '.js'))];
  return spawnNode([...runnable, ...args], options);
}

/** Starts Node without Jest's flags. */
export function spawnNode(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { NODE_OPTIONS: _jestFlags, ...env } = { ...process.env, ...options.env };
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options, env });
}

/** The folder of compiled programs, a package of our name; see compile-programs.mjs. */
export function compiledPrograms(): string {
  const folder = process.env.COMPILED_PROGRAMS;
  if (folder === undefined) throw new Error('Only Jest projects on real clusters have compiled programs.');
  return folder;
}
