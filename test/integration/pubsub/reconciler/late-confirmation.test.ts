import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConnectionFactory } from '../../../../src/pubsub/connection/connection-factory.js';
import { nodeKey, type NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { NodeSubscribers } from '../../../../src/pubsub/reconciler/node-subscribers.js';
import { Reconciler } from '../../../../src/pubsub/reconciler/reconciler.js';
import { Subscription } from '../../../../src/pubsub/subscription/subscription.js';
import { SubscriptionRegistry } from '../../../../src/pubsub/subscription/subscription-registry.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import type { Topology } from '../../../../src/pubsub/topology/topology.js';
import type { LocalNode } from '../../../../src/testing/index.js';
import { noProbes } from '../../../support/no-probes.js';
import { silentScope } from '../../../support/scopes.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** Nodes and connections are real; the view is ours, for it has to change while one SUBSCRIBE is on its way. */
describe('a subscription whose slot moves while its node hangs', () => {
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });
  let source: LocalNode;
  let target: LocalNode;
  let view: View;
  let table: SubscriptionRegistry;
  const scope = silentScope();
  let subscribers: NodeSubscribers;
  let reconciler: Reconciler;

  beforeAll(async () => {
    [source, target] = cluster.nodes as [LocalNode, LocalNode];
  });

  beforeEach(() => {
    view = new View(nodeKey(source));
    table = new SubscriptionRegistry();
    subscribers = new NodeSubscribers(new ConnectionFactory({}, {}, 20_000), 20_000, noProbes);
    reconciler = new Reconciler(
      table,
      view as unknown as Topology,
      subscribers,
      { commandTimeout: 20_000, connectTimeout: 20_000, slotMigrationTimeout: 500, numbered: false },
      scope,
      {
        interrupted: () => undefined,
        gap: () => undefined,
        error: () => undefined,
        broken: () => undefined,
        whole: () => undefined,
      },
    );
  });

  afterEach(async () => {
    void reconciler.close();
    subscribers.close();
    for (const node of [source, target]) await cluster.resume(node);
  });

  it('is not active when the old node confirms it late, but when the new one does', async () => {
    const [stays, moves] = [wanted('stays'), wanted('moves')];
    await reconciler.add(stays, () => undefined);
    await stateOfSource('idle');
    await cluster.pause(source);
    await cluster.pause(target);
    let confirmed = false;
    const subscribing = reconciler.add(moves, () => (confirmed = true));
    await stateOfSource('syncing');

    view.move(moves, nodeKey(target));
    await cluster.resume(source);
    await stateOfSource('idle'); // it has confirmed, and been left again

    expect(confirmed).toBe(false);
    expect(moves.state.activeNodes.size).toBe(0);
    expect(await count(source, 'moves')).toBe(0);

    await cluster.resume(target);
    await subscribing;
    expect([...moves.state.activeNodes]).toEqual([nodeKey(target)]);
    expect(await count(target, 'moves')).toBe(1);
    expect(await count(source, 'stays')).toBe(1);
  });

  it('is not requested there any more when that node fails with the SUBSCRIBE unanswered', async () => {
    const [first, second] = [wanted('first'), wanted('second')];
    await reconciler.add(first, () => undefined);
    await stateOfSource('idle');
    await cluster.pause(source);
    const subscribing = reconciler.add(second, () => undefined);
    await stateOfSource('syncing');

    view.move(first, nodeKey(target));
    view.move(second, nodeKey(target));
    await subscribing;
    await cluster.kill(source);

    await eventually(() => subscribers.of(nodeKey(source)).length === 0, 'the dead node is left alone');
    expect([...first.state.activeNodes, ...second.state.activeNodes]).toEqual([
      nodeKey(target),
      nodeKey(target),
    ]);
    expect(subscribers.of(nodeKey(target))).toHaveLength(1);
  });

  function wanted(name: string): Subscription {
    const subscription = new Subscription(scope, SUBSCRIPTION_KINDS.channel, name);
    table.add(subscription);
    return subscription;
  }

  function stateOfSource(state: string): Promise<void> {
    const session = () => subscribers.of(nodeKey(source))[0];
    return eventually(() => session()?.state === state, `the session at the old node is ${state}`);
  }

  async function count(node: LocalNode, name: string): Promise<number> {
    return ((await plain(node.port).pubsub('NUMSUB', name)) as [string, number])[1];
  }
});

/** Of a topology, what a reconciler asks it. */
class View {
  readonly #moved = new Map<number, NodeKey>();
  readonly #listeners: (() => void)[] = [];

  constructor(private readonly home: NodeKey) {}

  targetOf(_kind: unknown, slot: number): NodeKey {
    return this.#moved.get(slot) ?? this.home;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  onRefresh(): void {
    // It is never refreshed.
  }

  pollWhile(): void {
    // It is as fresh as the test wants it.
  }

  refreshSoon(): void {
    // It is as fresh as the test wants it.
  }

  watchWhile(): void {
    // It is as fresh as the test wants it.
  }

  noteUse(): void {
    // It is as fresh as the test wants it.
  }

  move({ slot }: Subscription, node: NodeKey): void {
    this.#moved.set(slot, node);
    for (const listener of this.#listeners) listener();
  }
}
