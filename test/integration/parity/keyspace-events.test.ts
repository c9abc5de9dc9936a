import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Cluster } from 'ioredis';
import { ClusterPubSubContext } from '../../../src/index.js';
import { unique } from '../../support/names.js';
import { nestApps } from '../../support/nest-apps.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections } from '../../support/plain-connections.js';
import { eventually } from '../../support/waiting.js';

interface Heard {
  readonly data: unknown;
  readonly channel: string;
  readonly pattern: string;
  readonly node: string;
}

const expired: Heard[] = [];
const written: Heard[] = [];
const heardOf = (data: unknown, context: ClusterPubSubContext): Heard => ({
  data,
  channel: context.getChannel(),
  pattern: context.getPattern(),
  node: context.getNode(),
});

@Controller()
class Keyspace {
  @EventPattern<string>('__keyevent@0__:expired', { nodes: 'all-masters' })
  expired(@Payload() key: string, @Ctx() context: ClusterPubSubContext): void {
    expired.push(heardOf(key, context));
  }

  @EventPattern<string>('__keyspace@0__:watched:*', { nodes: 'all-masters' })
  written(@Payload() event: string, @Ctx() context: ClusterPubSubContext): void {
    written.push(heardOf(event, context));
  }
}

describe("an event handler with nodes: 'all-masters'", () => {
  const plain = plainConnections();
  const cluster = ownCluster({
    masters: 3,
    replicas: 1,
    config: { 'notify-keyspace-events': 'KEA' },
  });
  const apps = nestApps(cluster);
  let keys: Cluster;

  beforeAll(() => {
    keys = new Cluster(cluster.nodes, { slotsRefreshInterval: 200 });
    keys.on('error', () => undefined);
  });
  afterAll(() => keys.disconnect());

  it('receives what expires on any master, once, as plain text, whatever the prefix', async () => {
    await apps.start({ controllers: [Keyspace] });
    const names = [...Array.from({ length: 60 }, () => unique('key')), '5', 'true', '{"json":1}'];
    await Promise.all(names.map((name) => keys.set(name, 'x', 'PX', 20)));
    await eventually(() => expired.length >= names.length, 'all have expired');
    expect(expired.map(({ data }) => data).sort()).toEqual([...names].sort());
    expect(new Set(expired.map(({ node }) => node)).size).toBe(3);
    expect(expired[0]).toMatchObject({
      channel: '__keyevent@0__:expired',
      pattern: '__keyevent@0__:expired',
    });
  });

  it('may be a wildcard, and follows a failover', async () => {
    await apps.start({ controllers: [Keyspace] });
    const [replica] = await cluster.replicas();
    await cluster.failover(replica!);
    await eventually(
      async () => Number(await plain(replica!.port).pubsub('NUMPAT')) === 1,
      'the new master carries the pattern',
    );
    written.length = 0;
    const names = Array.from({ length: 60 }, () => `watched:${unique()}`);
    await Promise.all(names.map((name) => keys.set(name, 'x')));
    await eventually(() => written.length >= names.length, 'all were heard');
    expect(written.map(({ channel }) => channel).sort()).toEqual(
      names.map((name) => `__keyspace@0__:${name}`).sort(),
    );
    expect(new Set(written.map(({ data }) => data))).toEqual(new Set(['set']));
    expect(written[0]!.pattern).toBe('__keyspace@0__:watched:*');
    expect(written.map(({ node }) => node)).toContain(`127.0.0.1:${replica!.port}`);
  });

  it('is refused where it could not work: beside other handlers of its pattern, or with another word', async () => {
    class Beside {
      @EventPattern('__keyevent@0__:set', { nodes: 'all-masters' })
      event(_data: unknown): void {
        // only its decorator matters
      }

      @MessagePattern('__keyevent@0__:set')
      request(): void {
        // only its decorator matters
      }
    }
    Controller()(Beside);
    class Strange {
      @EventPattern('x', { nodes: 'some' })
      event(_data: unknown): void {
        // only its decorator matters
      }
    }
    Controller()(Strange);
    for (const controller of [Beside, Strange]) {
      await expect(apps.start({ controllers: [controller] })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });
});
