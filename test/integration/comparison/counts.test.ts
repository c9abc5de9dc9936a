// README, "Compared with Transport.REDIS": receivers of a message (in a cluster).
import { afterAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { sharedCluster } from '../../support/shared-cluster.js';
import { Signal } from '../../support/waiting.js';
import { Sides, unique } from './sides.js';

const sides = new Sides();
afterAll(() => sides.close());

describe('how many got a message', () => {
  it('is not said by Transport.REDIS, nor by the PUBLISH that it sends to its node', async () => {
    const channel = unique('unknown');
    const received = [new Signal(), new Signal()];
    for (const [index, signal] of received.entries()) {
      const subscriber = sides.redis(index + 1);
      subscriber.on('message', () => signal.resolve());
      await subscriber.subscribe(channel);
    }
    const told = await lastValueFrom((await sides.stockClient()).emit(channel, 1), {
      defaultValue: undefined,
    });
    await Promise.all(received.map(({ promise }) => promise));
    expect(told).toBeUndefined();
    expect(await sides.redis(0).publish(channel, 'at the node of the stock client')).toBe(0);
  });

  it('is said exactly by ClusterPubSub#publish, whatever nodes the subscribers start from', async () => {
    const channel = unique('exact');
    const subscribers = sharedCluster().map((_, node) => sides.engine(node));
    await Promise.all(subscribers.map((subscriber) => subscriber.subscribe(channel)));
    expect(await sides.engine().publish(channel, 'hello')).toBe(subscribers.length);
  });
});
