import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { eventually } from './waiting.js';

const root = process.cwd();

/**
 * A TypeScript program as a user of the package has it: in a folder and a process of its own, importing the package by
 * its name. It reads our sources, so that nothing need be built.
 */
export class UserProgram {
  /** What the program has printed so far. */
  stdout = '';
  stderr = '';
  readonly #folder = mkdtempSync(join(tmpdir(), 'ncps-program-'));
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<unknown>;

  constructor(source: string, variables: NodeJS.ProcessEnv = {}) {
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
    this.#write('package.json', JSON.stringify({ type: 'module' }));
    this.#write('tsconfig.json', JSON.stringify(tsconfig));
    this.#write('main.ts', source);
    const tsx = { TSX_TSCONFIG_PATH: join(this.#folder, 'tsconfig.json') };
    const env: NodeJS.ProcessEnv = { ...process.env, ...variables, ...tsx };
    // Jest's own.
    delete env.NODE_OPTIONS;
    this.#child = spawn(process.execPath, ['--import', 'tsx', 'main.ts'], {
      cwd: this.#folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
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

  /** Sends a signal that asks it to end. */
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

  #write(name: string, text: string): void {
    writeFileSync(join(this.#folder, name), text);
  }
}

const tsconfig = {
  compilerOptions: {
    target: 'ES2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    paths: {
      'nestjs-cluster-pubsub': [join(root, 'src/index.ts')],
      'nestjs-cluster-pubsub/terminus': [join(root, 'src/terminus/index.ts')],
      'nestjs-cluster-pubsub/prometheus': [join(root, 'src/prometheus/index.ts')],
      'nestjs-cluster-pubsub/opentelemetry': [join(root, 'src/opentelemetry/index.ts')],
      'nestjs-cluster-pubsub/testing': [join(root, 'src/testing/index.ts')],
    },
  },
};
