import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { MessageBuffer } from '../../../src/pubsub/delivery/message-buffer.js';
import { Sequencer } from '../../../src/pubsub/ordering/sequencer.js';
import { deferred, withTimeout } from '../../../src/util/promises.js';
import { TimeoutQueue } from '../../../src/util/timeout-queue.js';

// Node runs timers before it reads sockets: after a blocked event loop, what a timeout waits for may have arrived.
let server: Server;
let [near, far]: Socket[] = [];

beforeEach(async () => {
  server = createServer((socket) => (far = socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await Promise.all([once(near, 'connect'), once(server, 'connection')]);
});

afterEach(() => {
  near!.destroy();
  far!.destroy();
  server.close();
});

/** Sends something that is in the socket of `near` before the event loop goes on, after `ms`. */
function sendAndBlock(ms: number): void {
  far!.write('x');
  for (const end = performance.now() + ms; performance.now() < end;);
}

it('an item that was stopped by what waited in a socket does not expire', async () => {
  const expired: string[] = [];
  const timeouts = new TimeoutQueue<string>((item) => expired.push(item));
  timeouts.start('request', 20);
  near!.on('data', () => timeouts.stop('request', 20));
  sendAndBlock(60);
  await once(near!, 'data');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(expired).toEqual([]);
});

it('a promise that is settled by what waited in a socket does not time out', async () => {
  const reply = deferred<string>();
  near!.on('data', () => reply.resolve('in time'));
  const result = withTimeout(reply.promise, 20, () => new Error('too late'));
  sendAndBlock(60);
  expect(await result).toBe('in time');
});

it('a message that waited in a socket is read', async () => {
  const buffer = new MessageBuffer<string>(10, 'drop-oldest', () => undefined);
  near!.on('data', () => buffer.push('message'));
  const read = buffer.read('single', () => true, 20);
  sendAndBlock(60);
  expect(await read).toBe('message');
});

it('a message that waited in a socket is not reported missing', async () => {
  const output: string[] = [];
  const sequencer = new Sequencer<string>({
    deliver: (message) => output.push(message),
    missing: () => output.push('missing'),
    returned: () => undefined,
    duplicate: () => output.push('duplicate'),
    mayReorder: () => true,
  });
  near!.on('data', () => sequencer.accept('p.0', 1, 'b'));
  sequencer.accept('p.0', 0, 'a');
  sequencer.accept('p.0', 2, 'c');
  sendAndBlock(150);
  await once(near!, 'data');
  expect(output).toEqual(['a', 'b', 'c']);
  sequencer.close();
});
