import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isAlive } from '../../support/processes.js';
import { startProgram } from '../../support/programs.js';
import { eventually } from '../../support/waiting.js';

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGINT'] as const;

interface Started {
  readonly pids: number[];
  readonly folder: string;
}

interface Owner {
  readonly owner: ChildProcess;
  readonly started: Started;
}

describe('when the process that started a cluster', () => {
  // All at once, as a cluster needs 2 s to form.
  const owners = new Map<NodeJS.Signals | 'leave', Promise<Owner>>();

  beforeAll(() => {
    for (const signal of SIGNALS) owners.set(signal, startOwner('stay'));
    owners.set('leave', startOwner('leave'));
  });

  afterAll(async () => {
    for (const { owner } of await Promise.all(owners.values())) owner.kill('SIGKILL');
  });

  it.each(SIGNALS)('is ended by %s, no server and no folder is left', async (signal) => {
    const { owner, started } = await owners.get(signal)!;
    expect(started.pids).toHaveLength(3);
    expect(started.pids.every(isAlive)).toBe(true);

    owner.kill(signal);
    await once(owner, 'exit');

    await eventually(() => !started.pids.some(isAlive), 'the servers end');
    await eventually(() => !existsSync(started.folder), 'the folder goes');
  });

  it('has nothing more to do, it ends without a stop(), and the cluster with it', async () => {
    const { owner, started } = await owners.get('leave')!;
    if (owner.exitCode === null) await once(owner, 'exit');
    expect(owner.exitCode).toBe(0);
    await eventually(() => !started.pids.some(isAlive), 'the servers end');
    await eventually(() => !existsSync(started.folder), 'the folder goes');
  });
});

async function startOwner(manner: 'stay' | 'leave'): Promise<Owner> {
  const owner = startProgram('test/support/programs/cluster-owner.ts', [manner]);
  const [line] = (await once(createInterface(owner.stdout!), 'line')) as [string];
  return { owner, started: JSON.parse(line) as Started };
}
