import { beforeEach, describe, expect, it } from '@jest/globals';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import {
  ChannelKeyReader,
  SubscriberConnection,
} from '../../../../src/pubsub/connection/subscriber-connection.js';

const read = Buffer.from('orders, orders, orderz, order, \xff\x00', 'latin1');

describe('ChannelKeyReader', () => {
  it('reads the name from the buffer, whether or not it is the same as before', () => {
    const reader = new ChannelKeyReader();
    const places = [
      [0, 6],
      [8, 14],
      [16, 22],
      [24, 29],
      [31, 33],
      [0, 6],
      [6, 6],
    ] as const;
    const names = places.map(([start, end]) => reader.read(read, start, end));
    expect(names).toEqual(['orders', 'orders', 'orderz', 'order', '\xff\x00', 'orders', '']);
  });
});

describe('SubscriberConnection', () => {
  class QuietSocket extends Duplex {
    override _read(): void {}
    override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
      done();
    }
  }

  const { shard } = SUBSCRIPTION_KINDS;
  let socket: QuietSocket;
  let connection: SubscriberConnection;
  let output: string[];

  beforeEach(() => {
    socket = new QuietSocket();
    output = [];
    const opened = { socket: socket as unknown as Socket, close: () => socket.destroy() };
    connection = new SubscriberConnection('127.0.0.1:7000' as never, opened, 1_000, {
      message: (kind, match, channel, data) =>
        output.push(`${kind.name} ${match} ${channel.toString()} ${data.toString()}`),
      revoked: (_kind, channel) => output.push(`revoked ${channel}`),
      closed: ({ disconnectReason }) => output.push(disconnectReason),
      handled: () => undefined,
    });
  });

  const receive = (...frames: (readonly (string | number)[] | string)[]): void => {
    for (const frame of frames) {
      const elements = typeof frame === 'string' ? [] : frame;
      const text = elements.map((one) =>
        typeof one === 'number' ? `:${String(one)}\r\n` : `$${String(one.length)}\r\n${one}\r\n`,
      );
      socket.emit(
        'data',
        Buffer.from(typeof frame === 'string' ? frame : `*${String(text.length)}\r\n${text.join('')}`),
      );
    }
  };
  const subscribe = (...names: string[]): Promise<unknown> =>
    connection.subscribe(shard, names as never[], (name) => output.push(`confirmed ${name}`));

  it('confirms each name once, though it was asked for twice', async () => {
    const done = subscribe('a', 'a', 'b');
    receive(['ssubscribe', 'a', 1], ['ssubscribe', 'b', 2]);
    await done;
    expect(output).toEqual(['confirmed a', 'confirmed b']);
    connection.close();
  });

  it.each([
    ['RESP2', ['pong', '']],
    ['RESP3', '+PONG\r\n'],
  ])('takes the reply to PING for no confirmation, and its error for no refusal: %s', async (_what, pong) => {
    connection.ping();
    const done = subscribe('a');
    connection.ping();
    receive('-MASTERDOWN no link\r\n', ['ssubscribe', 'a', 1], pong);
    await done;
    expect(output).toEqual(['confirmed a']);
    connection.close();
  });

  it.each<[string, readonly (string | number)[] | string]>([
    ['a confirmation that nobody waits for', ['ssubscribe', 'other', 1]],
    ['a confirmation of another kind', ['psubscribe', 'a', 1]],
    ['a confirmation without a name', ['ssubscribe', 1, 1]],
    ['a message without data', ['smessage', 'a']],
    ['a message whose data is a number', ['smessage', 'a', 5]],
    ['a pattern message without a channel', ['pmessage', 'a*', 'x']],
    ['a reply to PING that was not sent', '+PONG\r\n'],
    ['an unknown frame', ['hello', 'world']],
    ['a number', ':1\r\n'],
  ])('ends with %s', async (_what, frame) => {
    const done = subscribe('a');
    const failed = expect(done).rejects.toMatchObject({ disconnectReason: 'invalid-reply' });
    receive(frame);
    await failed;
    expect(output).toEqual(['invalid-reply']);
  });

  it('ends with an error that no command waits for', () => {
    receive('-ERR out of the blue\r\n');
    expect(output).toEqual(['invalid-reply']);
  });

  it('passes messages and ends of subscriptions that nobody has asked for', () => {
    receive(['smessage', 'a', 'x'], ['pmessage', 'a*', 'ab', 'y'], ['sunsubscribe', 'a', 0]);
    receive('>2\r\n$10\r\ninvalidate\r\n*0\r\n');
    expect(output).toEqual(['shard a a x', 'pattern a* ab y', 'revoked a']);
    connection.close();
  });
});
