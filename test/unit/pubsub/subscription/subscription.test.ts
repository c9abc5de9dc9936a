import { describe, expect, it } from '@jest/globals';
import { channelKey } from '../../../../src/pubsub/common/channel-name.js';
import type { SubscriptionKindName } from '../../../../src/pubsub/common/messages.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import { Subscription } from '../../../../src/pubsub/subscription/subscription.js';
import { SubscriptionRegistry } from '../../../../src/pubsub/subscription/subscription-registry.js';
import { silentScope } from '../../../support/scopes.js';

describe('SubscriptionTable', () => {
  it('keeps the three kinds apart', () => {
    const table = new SubscriptionRegistry();
    const [channel, pattern, shard] = [
      added(table, 'channel'),
      added(table, 'pattern'),
      added(table, 'shard'),
    ];
    expect(table.get('channel', channelKey('a'))).toBe(channel);
    expect(table.all).toEqual([channel, pattern, shard]);
    expect(table.of('shard')).toEqual([shard]);
    table.delete(channel);
    expect(table.get('channel', channelKey('a'))).toBeUndefined();
    expect(table.all).toEqual([pattern, shard]);
  });

  it('is in use while anything is wanted, or its end is not confirmed', () => {
    const table = new SubscriptionRegistry();
    expect(table.inUse).toBe(false);
    const shard = added(table, 'shard');
    expect(table.inUse).toBe(true);
    table.leave(shard);
    expect(table.inUse).toBe(true);
    table.gone(shard);
    expect(table.inUse).toBe(false);
  });

  it('counts as Redis does: what is confirmed, shard channels apart from the rest', () => {
    const table = new SubscriptionRegistry();
    const [channel, pattern, shard] = [
      added(table, 'channel'),
      added(table, 'pattern'),
      added(table, 'shard'),
    ];
    expect(table.count('channel')).toBe(0);
    expect(table.confirm(channel)).toBe(1);
    expect(table.confirm(pattern)).toBe(2);
    expect(table.confirm(pattern)).toBe(2);
    expect(table.confirm(shard)).toBe(1);
    table.delete(channel);
    expect(table.count('pattern')).toBe(1);
    expect(table.count('shard')).toBe(1);
  });
});

function added(table: SubscriptionRegistry, kind: SubscriptionKindName): Subscription {
  const subscription = new Subscription(silentScope(), SUBSCRIPTION_KINDS[kind], 'a');
  table.add(subscription);
  return subscription;
}
