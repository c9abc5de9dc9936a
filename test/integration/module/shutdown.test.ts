import { afterAll, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSub, ClusterPubSubClient } from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';
import { startProgram } from '../../support/programs.js';

const apps = nestApps();
const children: ChildProcess[] = [];

afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

describe('an application that gets SIGTERM while a handler runs', () => {
  it('with app.close(): answers, closes everything, and has nothing left that would keep it up', async () => {
    const { answer, exit, took } = await terminateWhileAsked('close');
    expect(answer).toBe('finished');
    expect(exit).toEqual([0, null]);
    expect(took).toBeLessThan(3_000);
    expect(await leftBehind()).toEqual([]);
  });

  it('with enableShutdownHooks(): answers, closes everything, and ends by the signal, as Nest has it', async () => {
    const { answer, exit, took } = await terminateWhileAsked('hooks');
    expect(answer).toBe('finished');
    expect(exit).toEqual([null, 'SIGTERM']);
    expect(took).toBeLessThan(3_000);
    expect(await leftBehind()).toEqual([]);
  });
});

async function terminateWhileAsked(manner: 'close' | 'hooks') {
  const { child, lines } = startApp(manner);
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await line(lines, 'serving');
  const client = apps.add(new ClusterPubSubClient(apps.options()));
  const handling = line(lines, 'handling');
  const answered = lastValueFrom(client.send<string>('slow', {}));
  await handling;
  const killedAt = performance.now();
  child.kill('SIGTERM');
  const [answer, exit] = await Promise.all([answered, exited]);
  const took = performance.now() - killedAt;
  await client.close();
  return { answer, exit, took };
}

function startApp(manner: string): { child: ChildProcess; lines: Interface } {
  const child = startProgram('test/support/programs/shutdown-app.ts', [
    JSON.stringify(apps.options()),
    manner,
  ]);
  children.push(child);
  return { child, lines: createInterface(child.stdout!) };
}

/** Resolves when the line comes; rejects when the output ends without it. */
function line(lines: Interface, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    lines.on('line', (text) => {
      if (text === wanted) {
        resolve();
      }
    });
    lines.once('close', () => reject(new Error(`The application ended without saying "${wanted}".`)));
  });
}

/** Channels of this file that anybody in the cluster is still subscribed to. */
async function leftBehind(): Promise<string[]> {
  await using pubsub = new ClusterPubSub(apps.options());
  return [
    ...(await pubsub.pubsubChannels(`${apps.prefix}*`)),
    ...(await pubsub.pubsubShardChannels(`${apps.prefix}*`)),
  ];
}
