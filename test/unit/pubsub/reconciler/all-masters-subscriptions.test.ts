import { describe, expect, it } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import { AllMastersSubscriptions } from '../../../../src/pubsub/reconciler/all-masters-subscriptions.js';
import type { InterruptionCause } from '../../../../src/pubsub/subscription/subscription-state.js';
import { SubscriptionRegistry } from '../../../../src/pubsub/subscription/subscription-registry.js';
import { Subscription } from '../../../../src/pubsub/subscription/subscription.js';
import { SLOT_COUNT, type SlotMap } from '../../../../src/pubsub/topology/slot-map.js';
import type { Topology } from '../../../../src/pubsub/topology/topology.js';
import { silentScope } from '../../../support/scopes.js';

const [A, B, C, A2] = ['a:1', 'b:1', 'c:1', 'a2:1'] as [NodeKey, NodeKey, NodeKey, NodeKey];

describe('a subscription at all masters', () => {
  it('is subscribed at each master, and is confirmed once', async () => {
    const { whole, confirmed, nodes } = await subscribed([A, B]);
    expect(nodes()).toEqual([A, B]);
    expect(confirmed()).toBe(1);
    expect([...whole.perNode!.values()].map(({ target, handler }) => [target, handler])).toEqual([
      [A, whole.handler],
      [B, whole.handler],
    ]);
  });

  it('goes to the replica that has replaced a master, with a gap since the view before', async () => {
    const { whole, refreshTo, nodes, replaced, removed } = await subscribed([A, B]);
    const former = whole.perNode!.get(A);
    refreshTo([A2, B]);
    expect(nodes()).toEqual([A2, B]);
    expect(replaced).toEqual([
      { former, node: A2, cause: { since: new Date(1), node: A, reason: 'slot-moved' } },
    ]);
    expect(removed()).toEqual([A]);
  });

  it('goes to a master that is new, and leaves one that owns nothing any more', async () => {
    const { refreshTo, nodes, replaced, removed } = await subscribed([A, B]);
    refreshTo([A, B, C]);
    expect(nodes()).toEqual([A, B, C]);
    expect(replaced).toEqual([
      { former: undefined, node: C, cause: { since: new Date(1), node: undefined, reason: 'slot-moved' } },
    ]);
    refreshTo([A, B]);
    expect(nodes()).toEqual([A, B]);
    expect(removed()).toEqual([C]);
  });

  it('stays where it is while the refreshed view names the same masters', async () => {
    const { refreshTo, nodes, replaced, removed } = await subscribed([A, B]);
    refreshTo([B, A]);
    expect(nodes()).toEqual([A, B]);
    expect([replaced, removed()]).toEqual([[], []]);
  });

  it('returns to a master that has its place back', async () => {
    const { refreshTo, nodes, replaced } = await subscribed([A, B]);
    refreshTo([A2, B]);
    refreshTo([A, B]);
    expect(nodes()).toEqual([A, B]);
    expect(replaced.map(({ node, cause }) => [node, cause.node])).toEqual([
      [A2, A],
      [A, A2],
    ]);
  });

  it('is removed everywhere when one master refuses', async () => {
    const { allMasters, whole, removed } = world([A, B], (node) =>
      node === B ? Promise.reject(new Error('NOPERM')) : Promise.resolve(),
    );
    await expect(allMasters.add(whole, () => undefined)).rejects.toThrow('NOPERM');
    expect(removed()).toEqual([A, B]);
  });

  it('that is added again in vain stays as before', async () => {
    let refuse = false;
    const { allMasters, whole, refreshTo, nodes, removed } = world([A, B], (node) =>
      refuse && node === A2 ? Promise.reject(new Error('NOPERM')) : Promise.resolve(),
    );
    await allMasters.add(whole, () => undefined);
    refuse = true;
    refreshTo([A2, B]);
    await expect(allMasters.add(whole, () => undefined)).rejects.toThrow('NOPERM');
    expect(removed()).toEqual([A]);
    expect(nodes()).toEqual([A2, B]);
  });
});

/** A cluster of these masters, and a subscription that all of them have confirmed. */
async function subscribed(masters: NodeKey[]) {
  const one = world(masters, () => Promise.resolve());
  let confirmations = 0;
  await one.allMasters.add(one.whole, () => (confirmations += 1));
  return { ...one, confirmed: () => confirmations };
}

function world(first: NodeKey[], answer: (node: NodeKey) => Promise<void>) {
  const topology = { masters: first, slotMap: viewOf(first), lookedAt: 1 };
  const replaced: { former: Subscription | undefined; node: NodeKey; cause: InterruptionCause }[] = [];
  const gone: NodeKey[] = [];
  const allMasters = new AllMastersSubscriptions(
    new SubscriptionRegistry(),
    topology as unknown as Topology,
    {
      add: async (perNode, onConfirmed) => {
        await answer(perNode.pinned!);
        onConfirmed();
      },
      replace: (former, perNode, cause) => replaced.push({ former, node: perNode.pinned!, cause }),
      remove: async (perNode) => void gone.push(perNode.pinned!),
    },
  );
  const whole = new Subscription(silentScope(), SUBSCRIPTION_KINDS.pattern, 'p*', 'all-masters');
  whole.handler = () => undefined;
  return {
    allMasters,
    whole,
    replaced,
    nodes: () => [...whole.perNode!.keys()].sort(),
    removed: () => gone.sort(),
    refreshTo: (masters: NodeKey[]) => {
      Object.assign(topology, { masters, slotMap: viewOf(masters), lookedAt: topology.lookedAt + 1 });
      allMasters.follow();
    },
  };
}

/** The first two masters own half of the slots each, a third one the last slot. */
function viewOf(masters: NodeKey[]): SlotMap {
  const owners = new Int16Array(SLOT_COUNT).fill(0, 0, SLOT_COUNT / 2).fill(1, SLOT_COUNT / 2);
  owners[SLOT_COUNT - 1] = masters.length - 1;
  return { owners, masters, replicas: [], ids: new Map<string, NodeKey>() };
}
