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
  ])('makes no claim of %s, as when the question is forbidden', (_what, reply) => {
    expect(readClusterInfo(reply)).toEqual({ works: undefined, epoch: undefined });
  });
});

describe('isBelievable', () => {
  it.each([
    ['of the epoch that we know', account({ epoch: 5 }), true],
    ['of a later epoch', account({ epoch: 6 }), true],
    ['of an earlier epoch', account({ epoch: 4 }), false],
    ['of a node for which the cluster is down', account({ works: false }), false],
    ['that leaves slots out', account({ slots: 16_383 }), false],
    ['of a node that may not be asked for more', account({ works: undefined, epoch: undefined }), true],
  ])('judges one %s', (_what, given, expected) => {
    expect(isTrustworthy(given, 5)).toBe(expected);
  });
});

describe('moreCredible', () => {
  it.each([
    ['all slots before a working cluster', account({ works: false }), account({ slots: 5 })],
    ['a working cluster before a later epoch', account({ epoch: 5 }), account({ works: false, epoch: 99 })],
    ['a later epoch before more slots', account({ slots: 5, epoch: 6 }), account({ slots: 9, epoch: 5 })],
    ['more slots at last', account({ slots: 9 }), account({ slots: 5 })],
    [
      'more slots where an epoch is not known',
      account({ slots: 9, epoch: undefined }),
      account({ slots: 5, epoch: 7 }),
    ],
  ])('puts %s', (_what, better, worse) => {
    expect(preferNewer(better, worse)).toBe(better);
    expect(preferNewer(worse, better)).toBe(better);
  });

  it('stays with the first where nothing speaks against it', () => {
    const [one, other] = [account({}), account({})];
    expect(preferNewer(one, other)).toBe(one);
  });
});

interface Given extends Partial<Pick<NodeView, 'works' | 'epoch'>> {
  readonly slots?: number;
}

function account(given: Given): NodeView {
  const { slots = 16_384, ...standing } = given;
  const node = '10.0.0.1:7000' as NodeKey;
  const view = readClusterSlots([[0, slots - 1, [null, 7000]]], node, undefined);
  return { node, view, works: true, epoch: 5, ...standing };
}
