import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ConnectionFactory } from '../../../../src/pubsub/connection/connection-factory.js';
import { FakeNode } from '../../../support/fake-node.js';

let node: FakeNode;

beforeEach(async () => {
  node = await new FakeNode().start();
});
afterEach(() => node.stop());

const open = () =>
  new ConnectionFactory({ redisOptions: { protocol: 2 } }, {}, 500).open({
    host: '127.0.0.1',
    port: node.port,
  });

it('opens a connection to a node that answers as it should', async () => {
  const { close } = await open();
  close();
});

it.each([
  ['nulls', '$-1\r\n'.repeat(5)],
  ['null lists', '*-1\r\n'.repeat(5)],
  ['numbers', ':1\r\n'.repeat(5)],
])('refuses a node that sends %s which no command waits for, and goes on', async (_what, text) => {
  node.alter = () => Buffer.from(text);
  await expect(open()).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  await new Promise(setImmediate);
});
