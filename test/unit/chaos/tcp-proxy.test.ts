import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TcpProxy } from '../../chaos/tcp-proxy.js';

let echo: Server;
let proxy: TcpProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.to({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  echo.close();
  await once(echo, 'close');
});

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  socket.on('error', () => undefined);
  socket.setEncoding('utf8');
  await once(socket, 'connect');
  return socket;
}

async function answerTo(socket: Socket, text: string): Promise<unknown> {
  const answer = once(socket, 'data');
  socket.write(text);
  return ((await answer) as [unknown])[0];
}

it('forwards both ways', async () => {
  expect(await answerTo(await client(), 'hello')).toBe('hello');
});

it('delays each way when it is slow', async () => {
  const socket = await client();
  proxy.slow(60);
  const started = performance.now();
  expect(await answerTo(socket, 'hello')).toBe('hello');
  expect(performance.now() - started).toBeGreaterThanOrEqual(115);
});

it('lets nothing pass while it is frozen, loses nothing, and keeps the sockets open', async () => {
  const old = await client();
  expect(await answerTo(old, 'a')).toBe('a');
  proxy.freeze();
  const young = await client();
  const answers = [answerTo(old, 'b'), answerTo(young, 'c')];
  expect(await Promise.race([...answers, sleep(100, 'nothing')])).toBe('nothing');
  expect([old.closed, young.closed]).toEqual([false, false]);
  proxy.thaw();
  expect(await Promise.all(answers)).toEqual(['b', 'c']);
});

it('ends its connections when it is cut, and accepts new ones', async () => {
  const socket = await client();
  expect(await answerTo(socket, 'a')).toBe('a');
  const closed = once(socket, 'close');
  proxy.cut();
  await closed;
  expect(await answerTo(await client(), 'b')).toBe('b');
});
