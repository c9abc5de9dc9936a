import { beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import type { SubscriptionKindName } from '../../../../src/pubsub/common/messages.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import { Subscription, type SubscriptionTarget } from '../../../../src/pubsub/subscription/subscription.js';
import { SubscriptionRegistry } from '../../../../src/pubsub/subscription/subscription-registry.js';
import { silentScope } from '../../../support/scopes.js';

describe('the subscriptions of a registry that get no sign of Redis when they belong to another node', () => {
  let registry: SubscriptionRegistry;
  beforeEach(() => {
    registry = new SubscriptionRegistry();
  });

  function add(kind: SubscriptionKindName, name: string, target: SubscriptionTarget = 'home'): Subscription {
    const subscription = new Subscription(silentScope(), SUBSCRIPTION_KINDS[kind], name, target);
    registry.add(subscription);
    return subscription;
  }

  /** The number is counted, the list is looked up: both are the same channels. */
  function expectUnaccompanied(count: number): void {
    expect([registry.unaccompanied, registry.unaccompaniedChannels.length]).toEqual([count, count]);
  }

  it('are classic channels without a shard subscription of the same name, whichever comes or goes first', () => {
    const channel = add('channel', 'a');
    expectUnaccompanied(1);
    const shard = add('shard', 'a');
    expectUnaccompanied(0);
    registry.delete(shard);
    expectUnaccompanied(1);
    registry.add(shard);
    registry.leave(channel);
    expectUnaccompanied(0);
    registry.add(channel);
    expectUnaccompanied(0);
    registry.delete(channel);
    registry.delete(channel);
    registry.delete(shard);
    expectUnaccompanied(0);
  });

  it('are those on chosen nodes and on all masters, whatever shard subscriptions there are', () => {
    add('shard', 'a');
    const pinned = add('channel', 'a', '127.0.0.1:7000' as NodeKey);
    const everywhere = add('pattern', 'p', 'all-masters');
    expect(registry.elsewhere).toBe(2);
    registry.delete(pinned);
    registry.delete(everywhere);
    expect(registry.elsewhere).toBe(0);
    expect(registry.patterns).toBe(0);
  });

  it('are patterns where the owner of their slot has no probe channel there, so that they are counted apart', () => {
    const pattern = add('pattern', 'p');
    expect([registry.elsewhere + registry.unaccompanied, registry.patterns]).toEqual([0, 1]);
    registry.delete(pattern);
    expect(registry.patterns).toBe(0);
  });
});
