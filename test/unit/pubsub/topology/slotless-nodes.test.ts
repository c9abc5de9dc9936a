import { describe, expect, it } from '@jest/globals';
import type { NatMap } from 'ioredis';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { readClusterNodes } from '../../../../src/pubsub/topology/slotless-nodes.js';

/** Reads the CLUSTER NODES reply of the node flagged `myself`, where the nodes `known` are known. */
function read(lines: readonly string[], queried: string, known: readonly string[], natMap?: NatMap) {
  const reply = Buffer.from(`${lines.map((line, id) => `id${id} ${line} - 0 0 1 connected`).join('\n')}\n`);
  return readClusterNodes(reply, queried as NodeKey, natMap, (node) => known.includes(node));
}

describe('nodes in CLUSTER NODES that are not known yet', () => {
  it('are masters and replicas, flagged fail or not', () => {
    const found = read(
      [
        '10.0.0.1:7000@17000 myself,master',
        '10.0.0.2:7000@17000,,shard-id=x slave',
        '10.0.0.3:7000@17000,,shard-id=x slave,fail',
        '10.0.0.4:7000 master,fail?',
        '::1:7000@17000 master',
      ],
      '10.0.0.1:7000',
      ['10.0.0.1:7000', '10.0.0.2:7000'],
    );
    expect(found).toEqual([
      { node: '10.0.0.3:7000', role: 'replica', failed: true },
      { node: '10.0.0.4:7000', role: 'master', failed: false },
      { node: '::1:7000', role: 'master', failed: false },
    ]);
  });

  it('are not those in handshake or without an address', () => {
    const found = read(
      [
        '10.0.0.1:7000@17000 myself,master',
        '10.0.0.2:7000@17000 handshake',
        ':0@0 slave,fail,noaddr',
        '10.0.0.3:0@17000 master',
      ],
      '10.0.0.1:7000',
      ['10.0.0.1:7000'],
    );
    expect(found).toEqual([]);
  });

  it('are named by host name where the queried node is', () => {
    const lines = [
      '10.0.0.1:7000@17000,one.example myself,master',
      '10.0.0.2:7000@17000,two.example slave',
      '10.0.0.3:7000@17000,three.example slave,fail',
      '10.0.0.4:7000@17000 master',
    ];
    expect(read(lines, 'one.example:7000', ['one.example:7000', 'two.example:7000'])).toMatchObject([
      { node: 'three.example:7000' },
      { node: '10.0.0.4:7000' },
    ]);
    expect(read(lines, '10.0.0.1:7000', ['10.0.0.1:7000', '10.0.0.2:7000'])).toMatchObject([
      { node: '10.0.0.3:7000' },
      { node: '10.0.0.4:7000' },
    ]);
  });

  it('are named by the addresses of the NAT map', () => {
    const natMap: NatMap = {
      '10.0.0.1:7000': { host: 'gate.example', port: 1 },
      '10.0.0.2:7000': { host: 'gate.example', port: 2 },
      '10.0.0.3:7000': { host: 'gate.example', port: 3 },
    };
    const lines = [
      '10.0.0.1:7000@17000 myself,master',
      '10.0.0.2:7000@17000 slave',
      '10.0.0.3:7000@17000 slave,fail',
    ];
    expect(read(lines, 'gate.example:1', ['gate.example:1', 'gate.example:2'], natMap)).toMatchObject([
      { node: 'gate.example:3' },
    ]);
  });

  it('are at the queried host where Redis announces no endpoint', () => {
    const lines = [
      '172.17.0.2:7000@17000 myself,master',
      '172.17.0.2:7001@17001 slave',
      '172.17.0.2:7002@17002 slave,fail',
    ];
    expect(read(lines, '127.0.0.1:7000', ['127.0.0.1:7000', '127.0.0.1:7001'])).toMatchObject([
      { node: '127.0.0.1:7002' },
    ]);
  });

  it('are none where a node does not know its own address yet, or refuses the command', () => {
    expect(read([':7000@17000 myself,master'], '127.0.0.1:7000', ['127.0.0.1:7000'])).toEqual([]);
    expect(readClusterNodes(null, '127.0.0.1:7000' as NodeKey, undefined, () => false)).toEqual([]);
  });
});
