import { describe, expect, it } from '@jest/globals';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';

const kinds = [
  ['subscribe', 'unsubscribe'],
  ['psubscribe', 'punsubscribe'],
  ['ssubscribe', 'sunsubscribe'],
] as const;

/** Before its first connection an engine has all calls wait; after it none. */
const moments: [string, (pubsub: ClusterPubSub) => Promise<void>][] = [
  ['before the first connection', () => Promise.resolve()],
  ['when connected', (pubsub) => pubsub.connect()],
];

describe.each(moments)('calls of one tick, %s, take effect in their order:', (_moment, prepare) => {
  const open = engines();

  it.each(kinds)('%s, then %s', async (subscribe, unsubscribe) => {
    const [pubsub, name] = [open(), unique()];
    await prepare(pubsub);
    await Promise.allSettled([pubsub[subscribe](name), pubsub[unsubscribe](name)]);
    expect(pubsub.subscribed).toBe(false);
    expect(await received(name)).toBe(0);
  });

  it.each(kinds)('%s, then %s of all', async (subscribe, unsubscribe) => {
    const [pubsub, name] = [open(), unique()];
    await prepare(pubsub);
    await Promise.allSettled([pubsub[subscribe](name), pubsub[unsubscribe]()]);
    expect(pubsub.subscribed).toBe(false);
    expect(await received(name)).toBe(0);
  });

  it.each(kinds)('%s, then reset', async (subscribe, _unsubscribe) => {
    const [pubsub, name] = [open(), unique()];
    await prepare(pubsub);
    await Promise.allSettled([pubsub[subscribe](name), pubsub.reset()]);
    expect(pubsub.subscribed).toBe(false);
    expect(await received(name)).toBe(0);
  });

  it.each(kinds)('%s, %s, and the first once more', async (subscribe, unsubscribe) => {
    const [pubsub, name] = [open(), unique()];
    await prepare(pubsub);
    const calls = [pubsub[subscribe](name), pubsub[unsubscribe](name), pubsub[subscribe](name)];
    const [, left, again] = await Promise.allSettled(calls);
    expect([left?.status, again?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(pubsub.subscribed).toBe(true);
    expect(await received(name)).toBe(1);
  });

  /** How many there are to take a message, of whichever kind. */
  async function received(name: string): Promise<number> {
    const publisher = open();
    const counts = [
      publisher.publish(name, ''),
      publisher.publish(name, '', { via: 'patterns' }),
      publisher.spublish(name, ''),
    ];
    return Math.max(...(await Promise.all(counts)));
  }
});
