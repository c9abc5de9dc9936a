import { describe, expect, it } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import type { Reply } from '../../../../src/pubsub/resp/reply.js';
import {
  changesBetween,
  countMoved,
  EMPTY_SLOT_MAP,
  ownerIn,
  readClusterSlots,
  readMoved,
  sameNodes,
  withOwner,
} from '../../../../src/pubsub/topology/slot-map.js';

const asked = '10.0.0.9:7000' as NodeKey;

describe('readClusterSlots', () => {
  it('knows the owner of each slot, the masters and the replicas', () => {
    const view = readClusterSlots(
      [
        [0, 99, node('10.0.0.1', 7001), node('10.0.0.2', 7002)],
        [100, 16_382, node('10.0.0.3', 7003)],
        [16_383, 16_383, node('10.0.0.1', 7001), node('10.0.0.2', 7002)],
      ],
      asked,
      undefined,
    );
    expect(view.masters).toEqual(['10.0.0.1:7001', '10.0.0.3:7003']);
    expect(view.replicas).toEqual(['10.0.0.2:7002']);
    expect([0, 99, 100, 16_382, 16_383].map((slot) => ownerIn(view, slot))).toEqual([
      '10.0.0.1:7001',
      '10.0.0.1:7001',
      '10.0.0.3:7003',
      '10.0.0.3:7003',
      '10.0.0.1:7001',
    ]);
  });

  it('reports a slot without an owner', () => {
    const view = readClusterSlots([[0, 0, node('10.0.0.1', 7001)]], asked, undefined);
    expect(ownerIn(view, 1)).toBeUndefined();
    expect(readClusterSlots([], asked, undefined)).toEqual(EMPTY_SLOT_MAP);
  });

  it.each([
    ['an empty host', Buffer.alloc(0)],
    ['no host', null],
  ])('takes the host it asked for a node with %s', (_what, host) => {
    const view = readClusterSlots([[0, 1, [host, 7001, Buffer.from('id')]]], asked, undefined);
    expect(view.masters).toEqual(['10.0.0.9:7001']);
  });

  it('keeps IPv6 addresses whole', () => {
    const view = readClusterSlots([[0, 1, node('::1', 7001)]], asked, undefined);
    expect(view.masters).toEqual(['::1:7001']);
  });

  it.each([
    ['a table', { '10.0.0.1:7001': { host: 'outside', port: 17_001 } }],
    ['a function', (key: string) => (key === '10.0.0.1:7001' ? { host: 'outside', port: 17_001 } : null)],
  ])('maps addresses with a natMap that is %s, and leaves the rest', (_what, natMap) => {
    const view = readClusterSlots([[0, 1, node('10.0.0.1', 7001), node('10.0.0.2', 7002)]], asked, natMap);
    expect(view.masters).toEqual(['outside:17001']);
    expect(view.replicas).toEqual(['10.0.0.2:7002']);
  });

  it('does not count a master as a replica where ranges disagree', () => {
    const view = readClusterSlots(
      [
        [0, 0, node('a', 1), node('b', 2)],
        [1, 1, node('b', 2)],
      ],
      asked,
      undefined,
    );
    expect(view.masters).toEqual(['a:1', 'b:2']);
    expect(view.replicas).toEqual([]);
  });
});

describe('readMoved', () => {
  it.each([
    ['MOVED 3999 127.0.0.1:6381', 3_999, '127.0.0.1:6381'],
    ['MOVED 0 :6381', 0, '10.0.0.9:6381'],
    ['MOVED 1 ::1:6381', 1, '::1:6381'],
    ['MOVED 2 redis.example:6381', 2, 'redis.example:6381'],
  ])('reads %s', (text, slot, owner) => {
    expect(readMoved(text, asked, undefined)).toEqual({ slot, owner });
  });

  it('maps the address', () => {
    const natMap = { '10.0.0.1:1': { host: 'outside', port: 2 } };
    expect(readMoved('MOVED 5 10.0.0.1:1', asked, natMap)?.owner).toBe('outside:2');
  });

  it('makes nothing of what it cannot read', () => {
    expect(readMoved('MOVED', asked, undefined)).toBeUndefined();
    expect(readMoved('MOVED x y', asked, undefined)).toBeUndefined();
  });
});

describe('views', () => {
  const view = readClusterSlots([[0, 16_383, node('a', 1), node('b', 2)]], asked, undefined);

  it('take in one moved slot, also to a master not known before', () => {
    const next = withOwner(view, 7, 'c:3' as NodeKey);
    expect(ownerIn(next, 7)).toBe('c:3');
    expect(ownerIn(next, 8)).toBe('a:1');
    expect(ownerIn(view, 7)).toBe('a:1');
    expect(changesBetween(view, next)).toEqual([{ from: 'a:1', to: 'c:3', ranges: [[7, 7]] }]);
    expect(sameNodes(view, next)).toBe(false);
  });

  it('no longer call a promoted replica a replica', () => {
    expect(withOwner(view, 7, 'b:2' as NodeKey).replicas).toEqual([]);
  });
});

describe('changesBetween', () => {
  const [a, b, c] = [node('a', 1), node('b', 2), node('c', 3)];
  const viewOf = (...ranges: Reply[]) => readClusterSlots(ranges, asked, undefined);
  const before = viewOf([0, 9_999, a], [10_000, 16_383, b]);

  it('finds none where the same masters own the same slots, in whatever order', () => {
    expect(changesBetween(before, viewOf([10_000, 16_383, b], [0, 9_999, a]))).toEqual([]);
    expect(changesBetween(EMPTY_SLOT_MAP, EMPTY_SLOT_MAP)).toEqual([]);
  });

  it('gathers the slots that went the same way, as ranges with both ends included', () => {
    const after = viewOf([0, 4, a], [5, 7, c], [8, 8, a], [9, 9, c], [10, 9_999, a], [10_000, 16_383, c]);
    const changes = changesBetween(before, after);
    expect(changes).toEqual([
      {
        from: 'a:1',
        to: 'c:3',
        ranges: [
          [5, 7],
          [9, 9],
        ],
      },
      { from: 'b:2', to: 'c:3', ranges: [[10_000, 16_383]] },
    ]);
    expect(countMoved(changes)).toBe(4 + 6_384);
  });

  it('reports a slot that had no owner, or has none now', () => {
    const holed = viewOf([0, 9_999, a], [10_001, 16_383, b]);
    expect(changesBetween(before, holed)).toEqual([
      { from: 'b:2', to: undefined, ranges: [[10_000, 10_000]] },
    ]);
    expect(changesBetween(holed, before)).toEqual([
      { from: undefined, to: 'b:2', ranges: [[10_000, 10_000]] },
    ]);
    expect(countMoved(changesBetween(EMPTY_SLOT_MAP, before))).toBe(16_384);
  });

  it('distinguishes two masters at the same place of the lists', () => {
    expect(changesBetween(viewOf([0, 16_383, a]), viewOf([0, 16_383, b]))).toEqual([
      { from: 'a:1', to: 'b:2', ranges: [[0, 16_383]] },
    ]);
  });
});

function node(host: string, port: number): Reply {
  return [Buffer.from(host), port, Buffer.from(`id of ${host}`), []];
}
