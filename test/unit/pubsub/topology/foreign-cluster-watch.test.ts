import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { ClusterIdentity } from '../../../../src/pubsub/connection/cluster-identity.js';
import type { CommandConnectionPool } from '../../../../src/pubsub/connection/command-connection-pool.js';
import type { StartupNodes } from '../../../../src/pubsub/connection/startup-nodes.js';
import { ForeignClusterWatch } from '../../../../src/pubsub/topology/foreign-cluster-watch.js';

const GONE_FOR_GOOD_MS = 15_000;

describe('ForeignClusterWatch', () => {
  const startup = ['s:1', 's:2', 's:3'] as NodeKey[];
  let identity: ClusterIdentity;
  /** The ids that the node at each address lists; without an entry it does not answer. */
  let listed: Record<string, readonly string[]>;
  let warnings: string[];
  let watch: ForeignClusterWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    identity = new ClusterIdentity();
    identity.learn(new Map([['ours', 'a:1' as NodeKey]]), ['a:1' as NodeKey]);
    listed = {};
    warnings = [];
    watch = new ForeignClusterWatch(
      { identity } as unknown as CommandConnectionPool,
      { configured: () => Promise.resolve(startup) } as unknown as StartupNodes,
    );
    watch.onReplaced(({ message }) => warnings.push(message));
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('suspects nothing while nobody answers', async () => {
    await failFor(10 * GONE_FOR_GOOD_MS);
    expect(watch.isSuspected()).toBe(false);
    expect(watch.nodes).toEqual([]);
  });

  it('names foreign nodes while they alone answer', async () => {
    listed = { 's:1': ['x'] };
    await failFor(1_000);
    expect(watch.nodes).toMatchObject([{ code: 'FOREIGN_NODE', node: 's:1' }]);
    watch.answered();
    expect(watch.nodes).toEqual([]);
  });

  it('takes the cluster of all startup nodes for its own after 15 s, with a warning, and not before', async () => {
    listed = { 's:1': ['x', 'y'], 's:2': ['x', 'y'], 's:3': ['y', 'x'] };
    expect(await failFor(GONE_FOR_GOOD_MS - 500)).toBe(false);
    expect(await failFor(1_000)).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('has answered for 15 s')]);
    expect(() => identity.check('s:1' as NodeKey, new Set(['x', 'y']))).not.toThrow();
  });

  it('begins to count anew when a node of the cluster has answered', async () => {
    listed = { 's:1': ['x'], 's:2': ['x'], 's:3': ['x'] };
    await failFor(GONE_FOR_GOOD_MS - 500);
    watch.answered();
    expect(await failFor(GONE_FOR_GOOD_MS - 500)).toBe(false);
  });

  it('counts from when the startup nodes agree, however long a few have been foreign', async () => {
    listed = { 's:1': ['x'] };
    await failFor(2 * GONE_FOR_GOOD_MS);
    listed = { 's:1': ['x'], 's:2': ['x'], 's:3': ['x'] };
    expect(await failFor(GONE_FOR_GOOD_MS - 500)).toBe(false);
    expect(await failFor(1_000)).toBe(true);
  });

  it.each([
    ['half of them or fewer answer', { 's:1': ['x'] }, false],
    ['one does not answer', { 's:1': ['x'], 's:2': ['x'] }, true],
    ['they are of different clusters', { 's:1': ['x'], 's:2': ['x'], 's:3': ['z'] }, false],
  ])('where %s, decides: %#', async (_what, answers, expected) => {
    listed = answers;
    expect(await failFor(2 * GONE_FOR_GOOD_MS)).toBe(expected);
    expect(warnings).toHaveLength(expected ? 1 : 0);
  });

  /** The startup nodes are asked every half second, and none is of the cluster. Returns whether it was replaced. */
  async function failFor(ms: number): Promise<boolean> {
    for (let passed = 0; passed < ms; passed += 500) {
      for (const node of startup) {
        try {
          identity.check(node, new Set(listed[node]));
        } catch {
          // it is foreign, or does not answer
        }
      }
      if (await watch.unanswered()) return true;
      jest.advanceTimersByTime(500);
    }
    return false;
  }
});
