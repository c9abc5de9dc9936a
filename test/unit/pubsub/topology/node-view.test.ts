import { describe, expect, it } from '@jest/globals';
import {
  isTrustworthy,
  preferNewer,
  readClusterInfo,
  type NodeView,
} from '../../../../src/pubsub/topology/node-view.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { readClusterSlots } from '../../../../src/pubsub/topology/slot-map.js';

describe('readClusterInfo', () => {
  it('reads the state and the epoch', () => {
    const reply = 'cluster_state:ok\r\ncluster_size:3\r\ncluster_current_epoch:12\r\ncluster_my_epoch:3\r\n';
    expect(readClusterInfo(Buffer.from(reply))).toEqual({ works: true, epoch: 12 });
    expect(readClusterInfo(Buffer.from('cluster_state:fail\r\ncluster_current_epoch:0\r\n'))).toEqual({
      works: false,
      epoch: 0,
    });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['something else', Buffer.from('OK')],
  ])('reads nothing from %s, as when the command is forbidden', (_what, reply) => {
    expect(readClusterInfo(reply)).toEqual({ works: undefined, epoch: undefined });
  });
});

describe('isTrustworthy', () => {
  it.each([
    ['of the known epoch', viewWith({ epoch: 5 }), true],
    ['of a later epoch', viewWith({ epoch: 6 }), true],
    ['of an earlier epoch', viewWith({ epoch: 4 }), false],
    ['of a node that reports cluster_state:fail', viewWith({ works: false }), false],
    ['without all slots', viewWith({ slots: 16_383 }), false],
    ['of a node whose ACL forbids CLUSTER INFO', viewWith({ works: undefined, epoch: undefined }), true],
  ])('checks a view %s', (_what, given, expected) => {
    expect(isTrustworthy(given, 5)).toBe(expected);
  });
});

describe('preferNewer', () => {
  it.each([
    ['all slots before a working cluster', viewWith({ works: false }), viewWith({ slots: 5 })],
    ['a working cluster before a later epoch', viewWith({ epoch: 5 }), viewWith({ works: false, epoch: 99 })],
    ['a later epoch before more slots', viewWith({ slots: 5, epoch: 6 }), viewWith({ slots: 9, epoch: 5 })],
    ['more slots at last', viewWith({ slots: 9 }), viewWith({ slots: 5 })],
    [
      'more slots where an epoch is not known',
      viewWith({ slots: 9, epoch: undefined }),
      viewWith({ slots: 5, epoch: 7 }),
    ],
  ])('puts %s', (_what, better, worse) => {
    expect(preferNewer(better, worse)).toBe(better);
    expect(preferNewer(worse, better)).toBe(better);
  });

  it('keeps the first of two equal views', () => {
    const [one, other] = [viewWith({}), viewWith({})];
    expect(preferNewer(one, other)).toBe(one);
  });
});

interface Given extends Partial<Pick<NodeView, 'works' | 'epoch'>> {
  readonly slots?: number;
}

function viewWith(given: Given): NodeView {
  const { slots = 16_384, ...info } = given;
  const node = '10.0.0.1:7000' as NodeKey;
  const slotMap = readClusterSlots([[0, slots - 1, [null, 7000]]], node, undefined);
  return { node, slotMap, works: true, epoch: 5, ...info };
}
