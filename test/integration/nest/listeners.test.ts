import { describe, expect, it } from '@jest/globals';
import clusterKeySlot from 'cluster-key-slot';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import type { Gap, Interruption, Moved } from '../../../src/pubsub/index.js';
import type { ClusterPubSubClient, ClusterPubSubServer } from '../../../src/transport/index.js';
import { ownCluster } from '../../support/own-cluster.js';
import { addHandlers, listen, transports } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

const cluster = ownCluster({ masters: 3, replicas: 0 });
const harness = transports(cluster);

/** Records everything that `on` and `status` of a server or client emit. */
class Diary {
  readonly lost: Interruption[] = [];
  readonly gaps: Gap[] = [];
  readonly moved: Moved[] = [];
  readonly statuses: string[] = [];
  readonly gap = new Signal();
  readonly move = new Signal();

  constructor(of: ClusterPubSubServer | ClusterPubSubClient) {
    of.on('interrupted', (loss) => this.lost.push(loss));
    of.on('gap', (gap) => {
      this.gaps.push(gap);
      this.gap.resolve();
    });
    of.on('moved', (moved) => {
      this.moved.push(moved);
      this.move.resolve();
    });
    of.status.subscribe((status) => this.statuses.push(status));
  }
}

/** Cuts every subscriber connection of the cluster. */
async function cutSubscribers(): Promise<void> {
  await Promise.all(
    cluster.nodes.map(async ({ host, port }) => {
      const redis = new Redis({ host, port });
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      redis.disconnect();
    }),
  );
}

async function moveTheSlotOf(channel: string): Promise<void> {
  const slot = clusterKeySlot(channel);
  const owner = await cluster.ownerOf(slot);
  const masters = await cluster.masters();
  await cluster.moveSlot(
    slot,
    masters.find(({ port }) => port !== owner.port)!,
  );
}

const namesOf = (losses: readonly Interruption[]): string[] =>
  losses.flatMap(({ names }) => names.map(String));

describe('listeners bound before listen()', () => {
  it('receive a lost connection and the gap it left, and status reports each change', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    const diary = new Diary(server);
    await listen(server);
    expect(diary.statuses).toEqual(['connected']);

    await cutSubscribers();
    await diary.gap.promise;
    await eventually(() => diary.gaps.length === diary.lost.length, 'what was lost is back');
    expect(new Set(namesOf(diary.lost))).toEqual(new Set([`${harness.prefix}ask`]));
    expect(diary.gaps[0]).toMatchObject({ reason: 'connection-lost' });
    expect(diary.gaps[0]!.until.getTime()).toBeGreaterThanOrEqual(diary.gaps[0]!.since.getTime());

    await eventually(() => diary.statuses.length >= 3, 'it is connected again');
    await server.close();
    expect(diary.statuses).toEqual(['connected', 'reconnecting', 'connected', 'disconnected']);
  });

  it('receive a slot that moved, and the handler answers from its new node', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    const diary = new Diary(server);
    await listen(server);
    await moveTheSlotOf(`${harness.prefix}ask`);
    await diary.move.promise;
    expect(diary.moved[0]!.slots).toBe(1);
    expect(diary.moved[0]!.masters).toHaveLength(3);
    expect(await lastValueFrom(harness.client().send('ask', 1))).toBe(1);
  });

  it('are still there when it listens again after close()', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    const diary = new Diary(server);
    await listen(server);
    await server.close();
    await listen(server);
    await cutSubscribers();
    await diary.gap.promise;
    expect(diary.statuses.slice(0, 3)).toEqual(['connected', 'disconnected', 'connected']);
  });
});

describe('listeners bound before connect()', () => {
  it('receive the fate of the inbox, and status reports each change', async () => {
    await harness.server({ ask: () => 1 });
    const client = harness.client();
    const diary = new Diary(client);
    expect(await lastValueFrom(client.send('ask', 1))).toBe(1);
    expect(diary.statuses).toEqual(['connected']);

    await cutSubscribers();
    await diary.gap.promise;
    expect(namesOf(diary.lost)).toEqual([expect.stringContaining('_cps:in:')]);
    await eventually(() => diary.statuses.length >= 3, 'it is connected again');
    expect(await lastValueFrom(client.send('ask', 1))).toBe(1);

    await client.close();
    expect(diary.statuses).toEqual(['connected', 'reconnecting', 'connected', 'disconnected']);
  });

  it('receive a slot that moved', async () => {
    const client = harness.client();
    const diary = new Diary(client);
    await client.connect();
    await harness.server({ ask: () => 1 });
    await moveTheSlotOf(`${harness.prefix}ask`);
    expect(await lastValueFrom(client.send('ask', 1))).toBe(1);
    await diary.move.promise;
    expect(diary.moved[0]!.slots).toBe(1);
  });
});
