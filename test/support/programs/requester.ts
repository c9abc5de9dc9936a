// A client in a process of its own. Sends `requests` requests, then reports how many messages its sockets have read.
import { Socket } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSubClient, type ClusterPubSubOptions } from '../../../src/transport/index.js';

const [options, requests] = JSON.parse(process.argv[2] ?? '') as [ClusterPubSubOptions, number];

/** The start of a pushed message, in the bytes of RESP2 and RESP3 alike. */
const MESSAGE = /\$\d\r\n[ps]?message\r\n/g;
let read = '';
const emit = Reflect.get(Socket.prototype, 'emit') as (...args: unknown[]) => unknown;
Reflect.set(Socket.prototype, 'emit', function (this: Socket, event: string, ...args: unknown[]) {
  if (event === 'data') read += String(args[0]);
  return Reflect.apply(emit, this, [event, ...args]);
});

const client = new ClusterPubSubClient(options);
await client.connect();
const ask = (n: number): Promise<number> =>
  lastValueFrom(client.send<number>('double', process.pid * 1_000 + n));
const answers = await Promise.all(Array.from({ length: requests }, (_, n) => ask(n)));
const right = answers.filter((answer, n) => answer === (process.pid * 1_000 + n) * 2).length;

// Other requesters may not be done: their replies must not arrive here either.
process.send?.('done');
process.once('message', () => {
  process.send?.({ right, messages: read.match(MESSAGE)?.length ?? 0 });
  void client.close().then(() => process.disconnect());
});
