import { transformSync } from '@swc/core';
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiledPrograms, spawnNode } from './programs.js';
import { eventually } from './waiting.js';

/**
 * A TypeScript program as a user of the package has it: in a process of its own, importing the package by its name.
 * It runs among the compiled programs of the run, whose folder has that name, so that nothing need be built.
 */
export class UserProgram {
  /** The output so far. */
  stdout = '';
  stderr = '';
  readonly #folder = mkdtempSync(join(compiledPrograms(), 'user-'));
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(source: string, variables: NodeJS.ProcessEnv = {}) {
    const main = join(this.#folder, 'main.js');
    writeFileSync(main, transformSync(source, { configFile: join(process.cwd(), '.swcrc') }).code);
    this.#child = spawnNode([main], {
      cwd: this.#folder,
      env: variables,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#ended = once(this.#child, 'close');
  }

  /** Resolves when the program has printed `text`; rejects when it ends without. */
  async printed(text: string): Promise<void> {
    await eventually(
      () => {
        if (!this.stdout.includes(text) && this.#hasEnded) {
          throw new Error(
            `The program ended without printing "${text}". It printed:\n${this.stdout}${this.stderr}`,
          );
        }
        return this.stdout.includes(text);
      },
      `the program prints "${text}"`,
      20_000,
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the program has ended: with its exit code, or the signal that ended it. */
  async end(): Promise<number | NodeJS.Signals | null> {
    await this.#ended;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Ends it by force if it still runs, and removes its folder. */
  async remove(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
