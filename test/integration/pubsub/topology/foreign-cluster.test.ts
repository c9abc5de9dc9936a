import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterPubSub, ClusterPubSubError } from '../../../../src/pubsub/index.js';
import { type LocalCluster, startLocalCluster } from '../../../../src/testing/index.js';
import { findFreePorts } from '../../../../src/testing/ports.js';
import { engines } from '../../../support/engines.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** What a connection sends before it is known whose node is at the other end, and what the tests themselves send. */
const HANDSHAKE = /^(hello|auth|ping|client\|\w+|cluster\|(myid|slots)|command\|\w+)$/;
const OF_THE_TESTS =
  /^(info|config\|\w+|cluster\|(info|nodes|myid|meet|addslotsrange|set-config-epoch|bumpepoch|addslots))$/;

const open = engines();
const plain = plainConnections();

const OPTIONS = { masters: 3, replicas: 0, nodeTimeout: 1_000 };

/** Two clusters with the same addresses, of which one runs at a time, as when pods get the addresses of others. */
let ours: LocalCluster;
let other: LocalCluster;

beforeAll(async () => {
  other = await startSomewhere();
  await stop(other);
  ours = await startLocalCluster({ ...OPTIONS, port: other.nodes[0]!.port });
}, 60_000);

afterAll(async () => {
  await Promise.all([ours.stop(), other.stop()]);
});

describe.each([500, 5_000])('when another cluster has all addresses for %i ms', (ms) => {
  afterEach(async () => {
    await stop(other);
    await start(ours);
  });

  it('gives it nothing, tells which nodes are foreign, and is back within 2 s of its own cluster', async () => {
    const names = uniques(20);
    const pubsub = open({ sequence: true }, { nodes: ours.nodes, commandTimeout: 1_000 });
    const errors = errorsOf(pubsub);
    await Promise.all([pubsub.subscribe(names), pubsub.ssubscribe(names), pubsub.psubscribe(unique('*'))]);
    const publisher = open({}, { nodes: ours.nodes, commandTimeout: 1_000 });
    await publisher.publish(names[0]!, '');
    const traffic = publishing(publisher, names);
    const health = watchHealth(pubsub);

    await stop(ours);
    health.begin();
    await start(other);
    await sleep(ms);
    expect(await commandsAt(other)).toEqual([]);
    const foreign = await pubsub.health({ cacheTtl: 0 });
    expect(foreign.status).toBe('down');
    expect(foreign.reasons.join()).toContain('belongs to another cluster');
    await stop(other);
    health.end();
    await start(ours);

    const backAt = performance.now();
    const isBack = async () =>
      pubsub.status === 'connected' && (await publisher.publish(names[0]!, '').catch(() => 0)) === 1;
    await eventually(isBack, 'the subscriptions are active again');
    expect(performance.now() - backAt).toBeLessThan(2_000);
    await traffic.end();
    expect(await pubsub.health({ cacheTtl: 0 })).toMatchObject({ status: 'up', reasons: [] });
    expect(health.statuses).not.toContain('up');
    expect(health.statuses).toContain('down');
    const foreignNodes = errors.filter(({ code }) => code === 'FOREIGN_NODE').map(({ node }) => node);
    expect(new Set(foreignNodes).size).toBeGreaterThan(0);
    expect(foreignNodes).toHaveLength(new Set(foreignNodes).size); // once each
    expect(errors.map(({ code }) => code)).not.toContain('CLUSTER_REPLACED');
  });
});

describe('when a startup node belongs to another cluster', () => {
  let foreign: LocalCluster;

  beforeAll(async () => {
    foreign = await startLocalCluster({ masters: 1, replicas: 0 });
    for (const _ of Array(10).keys()) await plain(foreign.nodes[0]!.port).call('CLUSTER', 'BUMPEPOCH');
  });
  afterAll(() => foreign.stop());

  it('is led by most of them from the start, and not there while its own cluster is down', async () => {
    const nodes = [...foreign.nodes, ...ours.nodes];
    const started = Array.from({ length: 8 }, () => open({}, { nodes }));
    const errors = errorsOf(started[0]!);
    await Promise.all(started.map((pubsub) => pubsub.connect()));
    const [pubsub] = started as [ClusterPubSub];
    const name = unique();
    await Promise.all(started.map((each) => each.subscribe(name)));
    expect(await pubsub.publish(name, '')).toBe(started.length);
    expect(errors).toMatchObject([{ code: 'FOREIGN_NODE', node: addressOf(foreign) }]);

    await stop(ours);
    await eventually(async () => (await reasonsOf(pubsub)).includes(addressOf(foreign)), 'health names it');
    expect((await pubsub.health({ cacheTtl: 0 })).status).toBe('down');
    await start(ours);
    const backAt = performance.now();
    await eventually(
      async () => (await pubsub.publish(name, '').catch(() => 0)) === started.length,
      'all subscriptions are active again',
    );
    expect(performance.now() - backAt).toBeLessThan(2_000);
    expect(await commandsAt(foreign)).toEqual([]);
  });
});

describe('when a node that claims all slots has the address of a dead master', () => {
  it('takes over nothing: the other masters serve on, and the health names it until the master is back', async () => {
    const names = uniques(30);
    const pubsub = open({}, { nodes: ours.nodes, commandTimeout: 500 });
    const errors = errorsOf(pubsub);
    await Promise.all([pubsub.subscribe(names), pubsub.ssubscribe(names)]);
    const dead = ours.nodes[0]!;
    const address = addressOf(ours);
    const elsewhere = names.filter((name) => pubsub.nodeOf(name) !== address);
    await ours.kill(dead);
    const fake = await startLocalCluster({ masters: 1, replicas: 0, port: dead.port });
    for (const _ of Array(10).keys()) await plain(dead.port).call('CLUSTER', 'BUMPEPOCH');

    await eventually(
      () => errors.some(({ code, node }) => code === 'FOREIGN_NODE' && node === address),
      'seen',
    );
    for (const name of elsewhere) expect(await pubsub.publish(name, '')).toBe(1);
    expect(new Set(names.map((name) => pubsub.nodeOf(name))).size).toBe(3);
    const { status, reasons } = await pubsub.health({ cacheTtl: 0 });
    expect(status).not.toBe('up');
    expect(reasons.join()).toContain(`The node at ${address} belongs to another cluster`);
    expect(await commandsAt(fake)).toEqual([]);

    await fake.stop();
    await ours.restart(dead);
    const backAt = performance.now();
    const count = async (name: string) => pubsub.publish(name, '').catch(() => 0);
    await eventually(
      async () => (await Promise.all(names.map(count))).every((one) => one === 1),
      'all are back',
    );
    expect(performance.now() - backAt).toBeLessThan(2_000);
  });
});

describe('when the nodes of the cluster are replaced one after the other', () => {
  it('follows: each comes back at its address with a new id, and the others know it', async () => {
    const names = uniques(30);
    const pubsub = open({}, { nodes: ours.nodes, commandTimeout: 2_000 });
    const errors = errorsOf(pubsub);
    await pubsub.subscribe(names);
    for (const node of ours.nodes) await replace(node);
    const count = async (name: string) => pubsub.publish(name, '').catch(() => 0);
    await eventually(
      async () => (await Promise.all(names.map(count))).every((one) => one === 1),
      'all are back',
    );
    expect(errors.filter(({ code }) => code === 'FOREIGN_NODE' || code === 'CLUSTER_REPLACED')).toEqual([]);
  });

  async function replace(node: LocalCluster['nodes'][number]): Promise<void> {
    const redis = plain(node.port);
    const others = ours.nodes.filter(({ port }) => port !== node.port);
    const id = await redis.cluster('MYID');
    const { slots } = (await ours.masters()).find(({ port }) => port === node.port)!;
    await ours.kill(node);
    await rm(join(ours.folder, String(node.port), 'nodes.conf'));
    const back = ours.restart(node);
    await eventually(async () => (await redis.cluster('MYID').catch(() => id)) !== id, 'it has a new id');
    for (const other of others) {
      await plain(other.port).call('CLUSTER', 'FORGET', id);
      await redis.call('CLUSTER', 'MEET', other.host, other.port);
    }
    await eventually(async () => (await mastersOf(redis)) === others.length, 'it has joined the cluster');
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', ...slots.flat());
    await back;
  }

  /** The number of masters whose slots it knows. */
  async function mastersOf(redis: Redis): Promise<number> {
    return ((await redis.cluster('SLOTS')) as unknown[]).length;
  }
});

function addressOf({ nodes: [node] }: LocalCluster): string {
  return `${node!.host}:${node!.port}`;
}

async function reasonsOf(pubsub: ClusterPubSub): Promise<string> {
  return (await pubsub.health({ cacheTtl: 0, timeout: 500 })).reasons.join();
}

function errorsOf(pubsub: ClusterPubSub) {
  const errors: (ClusterPubSubError & { node?: string })[] = [];
  pubsub.on('error', (error) => errors.push(error));
  return errors;
}

/** On consecutive ports, of which one may be taken at the first attempt. */
async function startSomewhere(attempts = 3): Promise<LocalCluster> {
  const [port] = await findFreePorts(1);
  return startLocalCluster({ ...OPTIONS, port }).catch((error: unknown) => {
    if (attempts === 1) throw error;
    return startSomewhere(attempts - 1);
  });
}

/** Ends all nodes at once. */
async function stop(cluster: LocalCluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
}

async function start(cluster: LocalCluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
}

/** The commands that the nodes have got, beyond handshakes and those of the tests. */
async function commandsAt(cluster: LocalCluster): Promise<string[]> {
  const stats = await Promise.all(cluster.nodes.map(({ port }) => plain(port).info('commandstats')));
  const names = stats.flatMap((text) => [...text.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => name!));
  return names.filter((name) => !HANDSHAKE.test(name) && !OF_THE_TESTS.test(name));
}

/** Publishes all the time, whatever becomes of it. */
function publishing(pubsub: ClusterPubSub, names: readonly string[]) {
  let isOn = true;
  const run = async () => {
    for (let index = 0; isOn; index += 1) {
      pubsub.publish(names[index % names.length]!, 'x').catch(() => undefined);
      pubsub.spublish(names[index % names.length]!, 'x').catch(() => undefined);
      await sleep(5);
    }
  };
  const running = run();
  return {
    end: () => {
      isOn = false;
      return running;
    },
  };
}

/** The states of health between `begin` and `end`. */
function watchHealth(pubsub: ClusterPubSub) {
  const statuses: string[] = [];
  let isOn = false;
  const isWatching = () => isOn; // it changes while a question is on its way
  return {
    statuses,
    begin: () => {
      isOn = true;
      void (async () => {
        while (isOn) {
          const { status } = await pubsub.health({ cacheTtl: 0, timeout: 500 });
          if (isWatching()) statuses.push(status);
          await sleep(20);
        }
      })();
    },
    end: () => {
      isOn = false;
    },
  };
}
