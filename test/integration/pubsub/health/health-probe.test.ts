import { afterEach, describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import type { LocalCluster } from '../../../../src/testing/index.js';
import { engines } from '../../../support/engines.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster, withoutSharded } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** For what is not about time, on a machine that is busy with other things, in ms. */
const PATIENT = 10_000;

/** What probes use as long as they can, in this order. */
const TAGS_OF_PROBES = Array.from({ length: 6 }, (_, tag) => `{${tag}}`);

const watches: { end(): Promise<unknown> }[] = [];
afterEach(() => Promise.all(watches.splice(0).map((watch) => watch.end())));

/** Probes all the time; `end` gives the number of looks, and what those had to say that were not `up`. */
function probeAllTheTime(pubsub: ClusterPubSub) {
  let ended = false;
  let looks = 0;
  const odd: string[] = [];
  const watching = (async () => {
    while (!ended) {
      const { status, reasons } = await pubsub.health({ probe: true, cacheTtl: 0, timeout: PATIENT });
      looks += 1;
      if (status !== 'up') odd.push(`${status}: ${reasons.join(' ')}`);
    }
  })();
  const watch = {
    looks: () => looks,
    end: async () => {
      ended = true;
      await watching;
      return odd;
    },
  };
  watches.push(watch);
  return watch;
}

async function moveSlotsOfProbes(
  cluster: LocalCluster,
  after: (tag: string, owner: string) => Promise<unknown> = async () => undefined,
): Promise<void> {
  const masters = await cluster.masters();
  for (const tag of [...TAGS_OF_PROBES, ...TAGS_OF_PROBES]) {
    const slot = slotOf(tag);
    const owner = await cluster.ownerOf(slot);
    const at = masters.findIndex(({ port }) => port === owner.port);
    const next = masters[(at + 1) % masters.length]!;
    await cluster.moveSlot(slot, next);
    await after(tag, `${next.host}:${next.port}`);
  }
}

describe('a probe says nothing of a cluster that is well', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 5_000 });

  const probing = async (subscribed: boolean) => {
    const pubsub = open({}, { nodes: cluster.nodes });
    if (subscribed) await pubsub.subscribe(uniques(30));
    await pubsub.health({ probe: true, timeout: PATIENT });
    return { pubsub, watch: probeAllTheTime(pubsub) };
  };

  it.each([
    ['on the connections of subscriptions', true],
    ['on connections of its own', false],
  ])('while slots move under it, %s', async (_where, subscribed) => {
    const { watch } = await probing(subscribed);
    await moveSlotsOfProbes(cluster);
    expect(await watch.end()).toEqual([]);
    expect(watch.looks()).toBeGreaterThan(1);
  });

  it.each([
    ['on the connections of subscriptions', true],
    ['on connections of its own', false],
  ])('while a replica takes the place of its master as planned, %s', async (_where, subscribed) => {
    const { watch } = await probing(subscribed);
    const [replica] = await cluster.replicas();
    await cluster.failover(replica!);
    expect(await watch.end()).toEqual([]);
    expect(watch.looks()).toBeGreaterThan(1);
  });

  it('while the application subscribes and unsubscribes', async () => {
    const { pubsub, watch } = await probing(false);
    const channel = unique();
    for (let round = 0; round < 100 || watch.looks() <= 5; round += 1) {
      await pubsub.subscribe(channel);
      await pubsub.unsubscribe(channel);
    }
    expect(await watch.end()).toEqual([]);
  });

  it('because another one has had too little time', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.connect();
    const ask = (timeout: number) => pubsub.health({ probe: true, cacheTtl: 0, timeout });
    const [hasty, patient] = await Promise.all([ask(1), ask(PATIENT)]);
    expect([hasty.status, patient.reasons]).toEqual(['down', []]);
    expect(await Promise.all([ask(1), ask(PATIENT)])).toMatchObject([{}, { status: 'up' }]);
  });

  it('however little time each look has to open its connections', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.connect();
    let status = '';
    // None of them is given the time for a connection; together they get it open.
    for (let look = 0; look < 500 && status !== 'up'; look += 1) {
      ({ status } = await pubsub.health({ probe: true, cacheTtl: 0, timeout: 20 }));
    }
    expect(status).toBe('up');
  });
});

describe('a probe of a cluster without sharded pub/sub (Redis 6)', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0, config: withoutSharded });

  it('is up while slots move, and leaves no channels behind', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 20 } });
    await pubsub.subscribe(uniques(30));
    const probe = () => pubsub.health({ probe: true, cacheTtl: 0, timeout: PATIENT });
    await probe();
    await moveSlotsOfProbes(cluster, async (tag, owner) => {
      await eventually(() => pubsub.nodeOf(tag) === owner, 'the move is known');
      expect((await probe()).reasons).toEqual([]);
    });
    for (const { port } of cluster.nodes) {
      const left = await plain(port).call('PUBSUB', 'CHANNELS', '*_cps:probe:*');
      expect((left as string[]).length).toBeLessThanOrEqual(1);
    }
  });
});

describe('a probe of a master that has too few slots for a channel of its own', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  it('does not judge it: PING has to do', async () => {
    const reached = new Set(Array.from({ length: 4_096 }, (_, tag) => slotOf(`{${tag}}`)));
    const [first] = await cluster.masters();
    const slot = Array.from({ length: 16_384 }, (_, one) => one).find((one) => !reached.has(one))!;
    const added = await cluster.addMaster();
    await cluster.moveSlot(slot, added);
    const pubsub = open({}, { nodes: [{ host: first!.host, port: first!.port }] });
    const { status, masters } = await pubsub.health({ probe: true, timeout: PATIENT });
    const { heartbeat, roundTrip } = masters.nodes.find(({ node }) => node.endsWith(`:${added.port}`))!;
    expect({ status, known: masters.known, heartbeat }).toEqual({ status: 'up', known: 4, heartbeat: null });
    expect(roundTrip).toBeGreaterThan(0);
  });
});
