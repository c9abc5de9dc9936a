import { afterEach, describe, expect, it } from '@jest/globals';
import { ClusterPubSub } from '../../../src/pubsub/index.js';

const SOURCE = { nodes: [{ host: '127.0.0.1', port: 1 }] };
const refused = (message: string) =>
  expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(message) as unknown as string,
  });

describe('what cannot work is refused before the cluster is asked', () => {
  const pubsub = new ClusterPubSub(SOURCE);
  afterEach(() => expect(pubsub.status).toBe('idle'));

  it.each<[string, unknown[], string]>([
    ['no source', [null], 'an ioredis Cluster, are an object, not null'],
    ['a source that is a text', ['127.0.0.1:7000'], 'are an object, not string'],
    ['no options', [SOURCE, null], 'The options of a ClusterPubSub are an object, not null'],
    [
      'ignoreSubscribeMessages',
      [SOURCE, { ignoreSubscribeMessages: 'no' }],
      'ignoreSubscribeMessages is true',
    ],
    ['sequence', [SOURCE, { sequence: 1 }], 'sequence is true or false, not a number'],
  ])('by the constructor: %s', (_what, args, message) => {
    const Class = ClusterPubSub as unknown as new (...args: unknown[]) => unknown;
    expect(() => new Class(...args)).toThrow(refused(message));
  });

  it.each<[keyof ClusterPubSub, unknown[], string]>([
    ['getMessage', [null], 'The options of getMessage() are an object'],
    ['getMessage', [{ ignoreSubscribeMessages: 1 }], 'ignoreSubscribeMessages is true or false'],
    ['getShardedMessage', [null], 'The options of getShardedMessage() are an object'],
    ['publish', ['a', 'b', null], 'The options of publish() and spublish() are an object'],
    ['publish', ['a', 'b', { via: 'nonsense' }], 'via is "owner" or "patterns"'],
    ['publish', ['a', 'b', { sequence: 'no' }], 'sequence is true or false'],
    ['spublish', ['a', 'b', { verifyZero: 1 }], 'verifyZero is true or false'],
    ['subscribe', [new Set(['x'])], 'Names come one by one or in an array'],
    ['subscribe', [{ nodes: 'all-masters' }, 'a'], 'The options ({ nodes }) come last'],
  ])('by %s: %j', async (method, args, message) => {
    const call = (pubsub[method] as (...args: unknown[]) => Promise<unknown>).bind(pubsub);
    await expect(call(...args)).rejects.toEqual(refused(message));
  });

  it.each<[unknown[], string]>([
    [[5], 'A channel name is a string or a Buffer, not number'],
    [['a', 'junk'], 'The kind of a subscription is "channel", "pattern" or "shard"'],
    [['a', 'toString'], 'The kind of a subscription'],
  ])('by nodeOf: %j', (args, message) => {
    expect(() => (pubsub.nodeOf as (...args: unknown[]) => unknown).apply(pubsub, args)).toThrow(
      refused(message),
    );
  });
});
