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
    ['no source', [null], '(or an ioredis Cluster) must be an object, received null'],
    ['a source that is a text', ['127.0.0.1:7000'], 'must be an object, received a string'],
    ['no options', [SOURCE, null], 'ClusterPubSub: options must be an object, received null'],
    [
      'ignoreSubscribeMessages',
      [SOURCE, { ignoreSubscribeMessages: 'no' }],
      'ignoreSubscribeMessages must be true or false, received a string',
    ],
    ['sequence', [SOURCE, { sequence: 1 }], 'sequence must be true or false, received 1'],
  ])('by the constructor: %s', (_what, args, message) => {
    const Class = ClusterPubSub as unknown as new (...args: unknown[]) => unknown;
    expect(() => new Class(...args)).toThrow(refused(message));
  });

  it.each<[keyof ClusterPubSub, unknown[], string]>([
    ['getMessage', [null], 'getMessage(): options must be an object'],
    ['getMessage', [{ ignoreSubscribeMessages: 1 }], 'ignoreSubscribeMessages must be true or false'],
    ['getShardedMessage', [null], 'getShardedMessage(): options must be an object'],
    ['publish', ['a', 'b', null], 'Publish options must be an object'],
    ['publish', ['a', 'b', { via: 'nonsense' }], 'via must be "owner" or "patterns"'],
    ['publish', ['a', 'b', { sequence: 'no' }], 'sequence must be true or false'],
    ['spublish', ['a', 'b', { verifyZero: 1 }], 'verifyZero must be true or false'],
    ['subscribe', [new Set(['x'])], 'Pass names one by one or in an array'],
    ['subscribe', [{ nodes: 'all-masters' }, 'a'], 'The options ({ nodes }) must be the last argument'],
  ])('by %s: %j', async (method, args, message) => {
    const call = (pubsub[method] as (...args: unknown[]) => Promise<unknown>).bind(pubsub);
    await expect(call(...args)).rejects.toEqual(refused(message));
  });

  it.each<[unknown[], string]>([
    [[5], 'A channel name must be a string or a Buffer, received 5'],
    [['a', 'junk'], 'kind must be "channel", "pattern", or "shard", received "junk"'],
    [['a', 'toString'], 'kind must be'],
  ])('by nodeOf: %j', (args, message) => {
    expect(() => (pubsub.nodeOf as (...args: unknown[]) => unknown).apply(pubsub, args)).toThrow(
      refused(message),
    );
  });
});
