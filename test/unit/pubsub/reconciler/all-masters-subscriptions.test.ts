import { describe, expect, it } from '@jest/globals';
import type { InterruptionCause } from '../../../../src/pubsub/reconciler/gap-tracker.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { AllMastersSubscriptions } from '../../../../src/pubsub/reconciler/all-masters-subscriptions.js';
import { Subscription } from '../../../../src/pubsub/subscription/subscription.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import type { Topology } from '../../../../src/pubsub/topology/topology.js';

const [A, B, C, A2] = ['a:1', 'b:1', 'c:1', 'a2:1'] as [NodeKey, NodeKey, NodeKey, NodeKey];

describe('a subscription at all masters', () => {
  it('has a part at each master, and is confirmed once', async () => {
    const { whole, confirmed, nodes } = await standing([A, B]);
    expect(nodes()).toEqual([A, B]);
    expect(confirmed()).toBe(1);
    expect([...whole.perNode!.values()].map(({ target: place, handler }) => [place, handler])).toEqual([
      [A, whole.handler],
      [B, whole.handler],
    ]);
  });

  it('hears a former master until the replica in its place has confirmed, and then no more', async () => {
    const { move, nodes, late, released } = await standing([A, B], [A2]);
    move([A2, B], [A], [A, A2]);
    expect(nodes()).toEqual([A2, A, B]);
    expect(late[0]).toMatchObject({ node: A2, cause: { node: A, reason: 'slot-moved' } });
    late[0]!.onConfirmed();
    expect(nodes()).toEqual([A2, B]);
    expect(released()).toEqual([A]);
  });

  it('takes the loss of a master that died for the beginning of the hole', async () => {
    const { whole, move, late } = await standing([A, B], [A2]);
    const lost: InterruptionCause = { since: new Date(5), node: A, reason: 'connection-lost' };
    whole.perNode!.get(A)!.interruption = lost;
    move([A2, B], [], [A, A2]);
    expect(late[0]!.cause).toBe(lost);
  });

  it('hears a former master no more, though a MOVED alone has told of its replica yet', async () => {
    const { move, nodes, late, settled } = await standing([A, B], [A2]);
    move([A, B, A2], [], [A, A2]); // one slot of A's is known to be A2's
    expect(nodes()).toEqual([A2, A, B]);
    late[0]!.onConfirmed();
    expect(nodes()).toEqual([A2, B]);
    move([A, B, A2], [], [A, A2]); // and one more
    expect(nodes()).toEqual([A2, B]);
    await settled();
    expect(nodes()).toEqual([A2, A, B]); // it is a master after all: it has kept other slots
  });

  it('goes to a master that is new, and leaves one that owns nothing any more', async () => {
    const { move, nodes, late } = await standing([A, B]);
    move([A, B, C], [], [A, C]);
    expect(nodes()).toEqual([A, B, C]);
    expect(late).toHaveLength(1);
    move([A, B], [], [C, A]);
    expect(nodes()).toEqual([A, B]);
  });

  it('stays where it is when a master takes its place back before the other has confirmed', async () => {
    const { move, nodes, late } = await standing([A, B], [A2]);
    move([A2, B], [A], [A, A2]);
    move([A, B], [A2], [A2, A]);
    expect(nodes()).toEqual([A, B]);
    expect(late).toHaveLength(1);
  });

  it('follows two failovers of a shard, the second before the first was confirmed', async () => {
    const { move, nodes, late } = await standing([A, B], [A2, C]);
    move([A2, B], [A, C], [A, A2]);
    move([C, B], [A, A2], [A2, C]);
    expect(nodes()).toEqual([A2, A, B, C]);
    late[1]!.onConfirmed();
    expect(nodes()).toEqual([B, C]);
  });

  it('stands nowhere when one master refuses', async () => {
    const { spreads, whole, released } = world([A, B], [], (node) =>
      node === B ? Promise.reject(new Error('NOPERM')) : Promise.resolve(),
    );
    await expect(spreads.want(whole, () => undefined)).rejects.toThrow('NOPERM');
    expect(released()).toEqual([A, B]);
    expect(spreads.has(whole)).toBe(false);
  });

  it('that is wanted anew in vain stands as before', async () => {
    let refuse = false;
    const { spreads, whole, move, nodes, released } = world([A, B], [A2], (node) =>
      refuse && node === A2 ? Promise.reject(new Error('NOPERM')) : Promise.resolve(),
    );
    await spreads.want(whole, () => undefined);
    refuse = true;
    move([A2, B], [A], [A, A2]);
    await expect(spreads.want(whole, () => undefined)).rejects.toThrow('NOPERM');
    expect(spreads.has(whole)).toBe(true);
    expect(released()).toEqual([]);
    expect(nodes()).toEqual([A2, A, B]);
  });
});

/** A cluster of these nodes, and a subscription that all masters have confirmed. */
async function standing(masters: NodeKey[], replicas: NodeKey[] = []) {
  const one = world(masters, replicas, () => Promise.resolve());
  let confirmations = 0;
  await one.spreads.want(one.whole, () => (confirmations += 1));
  return { ...one, confirmed: () => confirmations };
}

function world(masters: NodeKey[], replicas: NodeKey[], answer: (node: NodeKey) => Promise<void>) {
  const topology = { masters, replicas, lookedAt: 1, refresh: () => Promise.resolve() };
  const late: { node: NodeKey; cause: InterruptionCause; onConfirmed: () => void }[] = [];
  const gone: NodeKey[] = [];
  const spreads = new AllMastersSubscriptions(topology as unknown as Topology, {
    want: async (part, onConfirmed) => {
      await answer(part.pinned!);
      onConfirmed();
    },
    takeOver: (part, cause, onConfirmed) => late.push({ node: part.pinned!, cause, onConfirmed }),
    release: async (part) => void gone.push(part.pinned!),
  });
  const whole = new Subscription(SUBSCRIPTION_KINDS.pattern, 'p*', 'all-masters');
  whole.handler = () => undefined;
  return {
    spreads,
    whole,
    late,
    nodes: () => [...whole.perNode!.keys()].sort(),
    released: () => gone.sort(),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
    move: (nowMasters: NodeKey[], nowReplicas: NodeKey[], [from, to]: [NodeKey, NodeKey]) => {
      topology.masters = nowMasters;
      topology.replicas = nowReplicas;
      spreads.follow({ changes: [{ from, to, ranges: [[0, 0]] }] });
    },
  };
}
