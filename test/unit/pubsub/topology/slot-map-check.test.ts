import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import type { CommandConnection } from '../../../../src/pubsub/connection/command-connection.js';
import { RedisReplyError } from '../../../../src/pubsub/resp/reply.js';
import { lastingPart, SlotMapCheck } from '../../../../src/pubsub/topology/slot-map-check.js';
import { EMPTY_SLOT_MAP, type SlotMap } from '../../../../src/pubsub/topology/slot-map.js';

const masters = ['a:1', 'b:1'] as NodeKey[];
const manyRanges: SlotMap = {
  ...EMPTY_SLOT_MAP,
  masters,
  owners: EMPTY_SLOT_MAP.owners.map((_, slot) => slot % 2),
};

describe('SlotMapCheck', () => {
  let nodes: string | undefined;
  let slots: SlotMap;
  const querySlots = jest.fn(() => Promise.resolve(slots));
  const call = jest.fn(() =>
    nodes === undefined ? Promise.reject(new RedisReplyError('NOPERM')) : Promise.resolve(Buffer.from(nodes)),
  );
  const connection = { node: 'a:1', call } as unknown as CommandConnection;
  let check: SlotMapCheck;

  beforeEach(() => {
    jest.clearAllMocks();
    check = new SlotMapCheck();
    nodes = linesOf('0 2 4');
    slots = { ...manyRanges };
  });

  it('asks for CLUSTER SLOTS alone where there are few ranges', async () => {
    const few = { ...manyRanges, owners: EMPTY_SLOT_MAP.owners.map((_, slot) => (slot < 8_000 ? 0 : 1)) };
    slots = few;
    expect(await check.agrees(connection, few, querySlots)).toBe(true);
    expect(call).not.toHaveBeenCalled();
  });

  it('asks for it once where there are many, while CLUSTER NODES says what it said', async () => {
    for (let time = 0; time < 3; time += 1) {
      nodes = linesOf('0 2 4', time);
      expect(await check.agrees(connection, manyRanges, querySlots)).toBe(true);
    }
    expect(querySlots).toHaveBeenCalledTimes(1);
  });

  it('asks again when CLUSTER NODES says something else, and when the known slot map is another', async () => {
    await check.agrees(connection, manyRanges, querySlots);
    nodes = linesOf('0 2 4 6');
    slots = { ...manyRanges, owners: manyRanges.owners.map((owner, slot) => (slot === 6 ? 0 : owner)) };
    expect(await check.agrees(connection, manyRanges, querySlots)).toBe(sameOwners(manyRanges, slots));
    expect(await check.agrees(connection, { ...slots }, querySlots)).toBe(true);
    expect(querySlots).toHaveBeenCalledTimes(3);
  });

  it('asks each time where the ACL forbids CLUSTER NODES', async () => {
    nodes = undefined;
    await check.agrees(connection, manyRanges, querySlots);
    expect(await check.agrees(connection, manyRanges, querySlots)).toBe(true);
    expect(querySlots).toHaveBeenCalledTimes(2);
  });
});

describe('lastingPart', () => {
  it('leaves out the times of pings, and nothing else', () => {
    const line = `id 10.0.0.1:1@2,name myself,master - 0 1700 3 connected 0-5 7 [9->-other]`;
    expect(lastingPart(Buffer.from(`${line}\nid2 10.0.0.2:1@2 slave id 55 66 3 connected\n`))).toBe(
      'id 10.0.0.1:1@2,name myself,master - 3 connected 0-5 7 [9->-other]\nid2 10.0.0.2:1@2 slave id 3 connected\n',
    );
    expect(lastingPart(null)).toBeUndefined();
  });
});

function linesOf(slots: string, ping = 0): string {
  return `id-a a:1@2 myself,master - 0 ${ping} 1 connected ${slots}\nid-b b:1@2 master - ${ping} 9 2 connected 1 3\n`;
}

function sameOwners(one: SlotMap, other: SlotMap): boolean {
  return one.owners.every((owner, slot) => owner === other.owners[slot]);
}
