import { describe, expect, it } from '@jest/globals';
import * as errors from '../../../../src/pubsub/common/errors.js';

describe('errors', () => {
  const all: errors.ClusterPubSubError[] = [
    new errors.ClusterUnreachableError('x'),
    new errors.ForeignNodeError('node:1', 'id'),
    new errors.ClusterReplacedError('node:1', '15 s'),
    new errors.NotAClusterError('node:1'),
    new errors.AuthenticationError('node:1', 'WRONGPASS'),
    new errors.SubscriptionError('news', 'node:1', 'NOPERM'),
    new errors.PublishError('news', 'node:1', 'unknown', 'lost'),
    new errors.QueueFullError('node:1', 10),
    new errors.ShardedUnsupportedError(),
    new errors.ClosedError(),
    new errors.InvalidArgumentError('x'),
    new errors.GapError('x'),
    new errors.CommandRefusedError('PUBSUB', 'node:1', 'NOPERM'),
    new errors.HandlerError('news'),
    new errors.UnknownNodeError('node:1', 'node:2'),
    new errors.EncodingError('news', 'node:1'),
  ];

  it('have a code each, different from all others', () => {
    expect(new Set(all.map(({ code }) => code)).size).toBe(all.length);
    expect(all.length).toBe(Object.keys(errors).length - 1);
  });

  it('are all ClusterPubSubErrors, named after their class', () => {
    for (const error of all) {
      expect(error).toBeInstanceOf(errors.ClusterPubSubError);
      expect(error.name).toBe(error.constructor.name);
    }
  });

  it('keep their cause', () => {
    const cause = new Error('why');
    expect(new errors.HandlerError('news', { cause }).cause).toBe(cause);
  });
});
