import { afterEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { startProgram } from '../../../support/programs.js';

/** Those of the programs; the first but for those in which nothing may end but by `close`. */
const COMMAND_TIMEOUT = 1_000;
const GRACE_PERIOD = 300;

interface Report {
  /** How long `close` took, in ms. */
  readonly took: number;
  readonly pending: number;
  /** Of what was pending: `resolved`, or the code of its error. */
  readonly outcomes: string[];
}

describe('close during', () => {
  const plain = plainConnections();
  const children: ChildProcess[] = [];
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
    }
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
  });

  it('a connect that no node answers', async () => {
    const report = await run('connecting', unique(), () => everyNode((node) => cluster.pause(node)));
    expect(report.took).toBeLessThan(GRACE_PERIOD + 1_000);
    expect(report.outcomes).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
  });

  it('the silence of a paused node, with messages in flight there', async () => {
    const channel = unique();
    const report = await run('a paused node', channel, () =>
      ownerOf(channel).then((node) => cluster.pause(node)),
    );
    expect(report.took).toBeLessThan(GRACE_PERIOD + 500);
    expect(report.outcomes).toHaveLength(report.pending);
    expect(new Set(report.outcomes)).not.toContain('resolved');
  });

  it('a hold: what waits for subscribers fails as closed', async () => {
    const channel = unique();
    const owner = await ownerOf(channel);
    const subscriber = plain(owner.port);
    await subscriber.ssubscribe(channel);
    const report = await run('a hold', channel, () => moveAway(channel));
    expect(report.took).toBeLessThan(GRACE_PERIOD + 1_000);
    expect(report.outcomes).toHaveLength(report.pending);
    expect(report.outcomes).toContain('CLOSED');
  });

  it('a handover', async () => {
    const channel = unique();
    let moving: Promise<void> | undefined;
    const report = await run('a handover', channel, () => {
      moving = moveAway(channel); // it closes as soon as it sees itself at both
      return Promise.resolve();
    });
    await moving;
    expect(report.took).toBeLessThan(COMMAND_TIMEOUT + 1_000);
  });

  it('thousands of messages in flight, which all arrive', async () => {
    const report = await run('messages in flight', unique(), () => Promise.resolve());
    expect(report.took).toBeLessThan(COMMAND_TIMEOUT + 1_000);
    expect(report.outcomes.filter((outcome) => outcome !== 'resolved')).toEqual([]);
    expect(report.outcomes).toHaveLength(5_000);
  });

  it('the death of a node: what waits for it fails as closed when the grace period is over', async () => {
    const channel = unique();
    const victim = await ownerOf(channel);
    const report = await run('a dead node', channel, () => cluster.kill(victim));
    await cluster.restart(victim);
    expect(report.took).toBeGreaterThanOrEqual(GRACE_PERIOD - 1);
    expect(report.took).toBeLessThan(GRACE_PERIOD + 1_000);
    expect(report.outcomes).toHaveLength(report.pending);
    expect(report.outcomes.filter((outcome) => outcome === 'CLOSED').length).toBeGreaterThanOrEqual(10);
  });

  const ownerOf = (channel: string) => cluster.ownerOf(slotOf(channel));

  async function moveAway(channel: string): Promise<void> {
    const owner = await ownerOf(channel);
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port);
    await cluster.moveSlot(slotOf(channel), target!);
  }

  async function everyNode(act: (node: { port: number }) => Promise<void>): Promise<void> {
    await Promise.all(cluster.nodes.map(act));
  }

  /** Runs a scenario of test/support/programs/closing-engine.ts, which must end by itself, soon after its report. */
  async function run(scenario: string, channel: string, fault: () => Promise<void>): Promise<Report> {
    const args = [scenario, JSON.stringify(cluster.nodes), channel];
    const child = startProgram('test/support/programs/closing-engine.ts', args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    const ended = once(child, 'close') as Promise<[number | null]>;
    const message = async (): Promise<unknown> => {
      const [first] = (await Promise.race([
        once(child, 'message'),
        ended.then(([code]) => Promise.reject(new Error(`It ended (${String(code)}) without a word.`))),
      ])) as [unknown];
      return first;
    };
    expect(await message()).toBe('ready');
    const reported = message();
    await fault();
    child.send('go');
    const report = (await reported) as Report;
    const reportedAt = performance.now();
    const [code] = await ended;
    expect(code).toBe(0);
    expect(performance.now() - reportedAt).toBeLessThan(1_500);
    return report;
  }
});
