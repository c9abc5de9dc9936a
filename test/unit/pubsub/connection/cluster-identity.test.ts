import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  ClusterIdentity,
  isSameCluster,
  type AskCluster,
} from '../../../../src/pubsub/connection/cluster-identity.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';

const node = '10.0.0.1:7000' as NodeKey;

describe('ClusterIdentity', () => {
  let identity: ClusterIdentity;
  let reported: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    identity = new ClusterIdentity();
    reported = [];
    identity.onForeign((error) => reported.push(error.node));
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('takes every node before the cluster is known, and asks nothing', async () => {
    const ask = asked({});
    await identity.verify(node, ask);
    expect(ask).not.toHaveBeenCalled();
    expect(() => identity.check(node, new Set(['x']))).not.toThrow();
  });

  describe('of a known cluster', () => {
    beforeEach(() => identity.learn(nodes('a', 'b', 'c', 'd'), addressesOf('a', 'b')));

    it.each([
      ['a known id', { MYID: 'b' }],
      ['a new id, where the node lists half of the known ids', { MYID: 'x', SLOTS: ['x', 'a', 'b'] }],
      ['an id that the ACL keeps secret, where it lists them', { SLOTS: ['a', 'b', 'c', 'd'] }],
    ])('takes a node with %s', async (_what, replies) => {
      await identity.verify(node, asked(replies));
      expect(reported).toEqual([]);
    });

    it.each([
      ['a new id that lists none of them', { MYID: 'x', SLOTS: ['x', 'y'] }, 'FOREIGN_NODE', true],
      ['a new id that lists a few', { MYID: 'x', SLOTS: ['x', 'a'] }, 'CLUSTER_UNREACHABLE', false],
      ['a new id that lists nothing yet', { MYID: 'x', SLOTS: [] }, 'CLUSTER_UNREACHABLE', false],
      ['slots without ids', { MYID: 'x', SLOTS: [undefined] }, 'CLUSTER_UNREACHABLE', false],
    ])('refuses a node with %s', async (_what, replies, code, isReported) => {
      await expect(identity.verify(node, asked(replies))).rejects.toMatchObject({ code });
      expect(reported).toEqual(isReported ? [node] : []);
    });

    it('does not take a view with one id of ours: the node may have moved to another cluster', () => {
      expect(() => identity.check(node, new Set(['a', 'x', 'y']))).toThrow('lists 1 of the 4 nodes');
    });

    it.each([
      ['its masters, while most replicas are down', ['a', 'b', 'c'], ['a', 'b', 'c'], true],
      ['most of its masters', ['a', 'b', 'c'], ['a', 'b'], true],
      ['most of its masters, with new replicas', ['a', 'b', 'c'], ['a', 'b', 'x', 'y'], true],
      ['a minority of its masters', ['a', 'b', 'c'], ['a'], false],
      ['its only master, alone', ['a'], ['a'], true],
      ['its only master, in another cluster', ['a'], ['a', 'x', 'y'], false],
    ])('that has nine nodes, takes a view with %s: %#', (_what, masters, listed, expected) => {
      identity.learn(nodes('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'), addressesOf(...masters));
      const check = expect(() => identity.check(node, new Set(listed)));
      if (expected) {
        check.not.toThrow();
      } else {
        check.toThrow('its view does not count');
      }
    });

    it('has a foreign address left alone for half a second, and reported once until it is one of ours', async () => {
      const foreign = asked({ MYID: 'x', SLOTS: ['x'] });
      await expect(identity.verify(node, foreign)).rejects.toThrow(`The node at ${node} belongs to another`);
      expect(() => identity.assertNotForeign(node)).toThrow('belongs to another cluster');
      expect(identity.foreignWithin(1_000)).toHaveLength(1);
      jest.advanceTimersByTime(501);
      expect(() => identity.assertNotForeign(node)).not.toThrow();
      await expect(identity.verify(node, foreign)).rejects.toThrow();
      expect(reported).toEqual([node]);
      await identity.verify(node, asked({ MYID: 'a' }));
      expect(identity.foreignWithin(1_000)).toEqual([]);
      await expect(identity.verify(node, foreign)).rejects.toThrow();
      expect(reported).toEqual([node, node]);
    });

    it('is another one after it was replaced', () => {
      identity.replace(new Set(['x', 'y']));
      expect(() => identity.check(node, new Set(['x', 'y']))).not.toThrow();
      expect(() => identity.check(node, new Set(['a', 'b', 'c', 'd']))).toThrow('belongs to another cluster');
    });

    it('knows where its nodes were last', () => {
      expect(identity.addressOf('a')).toBe('a:1');
      expect(identity.addressOf('x')).toBeUndefined();
    });
  });
});

describe('isSameCluster', () => {
  it.each([
    [['a', 'b', 'c'], ['b'], true],
    [['a', 'b', 'c'], ['b', 'x'], true],
    [['a', 'b', 'c'], ['c', 'x', 'y'], false],
    [['a'], ['b'], false],
    [[], [], true],
  ])('says of %j and %j: %j', (one, other, expected) => {
    expect(isSameCluster(new Set(one), new Set(other))).toBe(expected);
    expect(isSameCluster(new Set(other), new Set(one))).toBe(expected);
  });
});

function nodes(...ids: string[]): ReadonlyMap<string, NodeKey> {
  return new Map(ids.map((id) => [id, `${id}:1` as NodeKey]));
}

function addressesOf(...ids: string[]): NodeKey[] {
  return [...nodes(...ids).values()];
}

/** Replies as a node does; without an id the ACL forbids `CLUSTER MYID`. */
function asked({ MYID, SLOTS = [] }: { MYID?: string; SLOTS?: readonly (string | undefined)[] }) {
  return jest.fn<AskCluster>((subcommand) => {
    if (subcommand === 'SLOTS') {
      return Promise.resolve(SLOTS.map((id, index) => [index, index, ['10.0.0.9', 7000, id]]));
    }
    return MYID === undefined ? Promise.reject(new Error('NOPERM')) : Promise.resolve(MYID);
  });
}
