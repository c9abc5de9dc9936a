import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isAlive } from '../../support/processes.js';
import { startProgram } from '../../support/programs.js';
import { eventually } from '../../support/waiting.js';

interface Started {
  readonly pids: number[];
  readonly folder: string;
}

describe('when the process that started a cluster', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'is ended by %s, no server and no folder is left',
    async (signal) => {
      const { owner, started } = await startOwner('stay');
      expect(started.pids).toHaveLength(3);
      expect(started.pids.every(isAlive)).toBe(true);

      owner.kill(signal);
      await once(owner, 'exit');

      await eventually(() => !started.pids.some(isAlive), 'the servers end');
      await eventually(() => !existsSync(started.folder), 'the folder goes');
    },
  );

  it('has nothing more to do, it ends although nobody called stop(), and takes the cluster with it', async () => {
    const { owner, started } = await startOwner('leave');
    if (owner.exitCode === null) await once(owner, 'exit');
    expect(owner.exitCode).toBe(0);
    await eventually(() => !started.pids.some(isAlive), 'the servers end');
    await eventually(() => !existsSync(started.folder), 'the folder goes');
  });
});

async function startOwner(manner: 'stay' | 'leave') {
  const owner = startProgram('test/support/programs/cluster-owner.ts', [manner]);
  const [line] = (await once(createInterface(owner.stdout!), 'line')) as [string];
  return { owner, started: JSON.parse(line) as Started };
}
