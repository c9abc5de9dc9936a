import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

const strange = [
  '',
  '{}',
  '{}a{b}',
  'a{}{b}',
  '{a',
  'a}b{c}d',
  '{{a}}',
  '{a{b}c}',
  '}{',
  '{ }',
  'line\nend{a b}',
  'žluť{oučký} 🐎',
  '🐎{é}',
  'lone \ud800 {surrogate}',
  '{\udc00}',
  Buffer.from([0xff, 0x00, 0x80]),
  Buffer.from([0xff, 0x7b, 0x80, 0xfe, 0x7d, 0x01]),
  Buffer.from([0x7b, 0x7d, 0xff]),
];

describe('the slot of a channel', () => {
  const open = engines();
  const plain = plainConnections();

  it('is the one that Redis computes, for the strangest names', async () => {
    const redis = plain(await aPort());
    const names = [...strange, ...Array.from({ length: 500 }, randomName)];
    const slots = await Promise.all(names.map((name) => redis.call('CLUSTER', ['KEYSLOT', name])));
    expect(names.map(slotOf)).toEqual(slots);
  });

  it('is where strange shard channels find their subscribers', async () => {
    const [publisher, subscriber] = [open(), open({ encoding: 'buffer' })];
    const names = strange.map((name) => Buffer.concat([Buffer.from(name), Buffer.from(unique())]));
    await subscriber.ssubscribe(names);
    expect(await Promise.all(names.map((name) => publisher.spublish(name, '')))).toEqual(names.map(() => 1));
  });

  async function aPort(): Promise<number> {
    return (sharedCluster()[0] as { port: number }).port;
  }
});

/** Bytes of which many are braces. */
function randomName(): Buffer {
  return Buffer.from(
    Array.from({ length: Math.floor(Math.random() * 12) }, () => {
      const dice = Math.random();
      return dice < 0.2 ? 0x7b : dice < 0.4 ? 0x7d : Math.floor(Math.random() * 256);
    }),
  );
}
