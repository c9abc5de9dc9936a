import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { CommandConnection } from '../../../../src/pubsub/connection/command-connection.js';
import { encodeHead } from '../../../../src/pubsub/resp/command-writer.js';

const PING = encodeHead([]);

/** Answers nothing by itself: the test says what comes. */
class QuietSocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

describe('what a reply handler throws', () => {
  let socket: QuietSocket;
  let connection: CommandConnection;
  let answers: string[];
  let thrown: (() => void)[];

  beforeEach(() => {
    socket = new QuietSocket();
    const opened = { socket: socket as unknown as Socket, close: () => socket.destroy() };
    connection = new CommandConnection('127.0.0.1:7000' as never, opened, 1_000);
    answers = [];
    thrown = [];
    jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => void thrown.push(task));
  });

  afterEach(() => {
    jest.restoreAllMocks();
    connection.close();
  });

  function ask(name: string, throws = false): void {
    connection.send(PING, 'PING', {
      accepts: () => true,
      onReply: (error) => {
        answers.push(error === undefined ? name : `${name}: ${error.name}`);
        if (throws) throw new Error('of the application');
      },
    });
  }

  it('is thrown apart: the others get their answers, and the connection goes on', () => {
    ask('first');
    ask('second', true);
    ask('third');
    socket.emit('data', Buffer.from('+PONG\r\n+PONG\r\n+PONG\r\n'));
    expect(answers).toEqual(['first', 'second', 'third']);
    expect(connection.closed).toBe(false);
    expect(thrown).toHaveLength(1);
    expect(thrown[0]).toThrow('of the application');
  });

  it('does not prevent the report that the connection is lost', () => {
    ask('first', true);
    ask('second');
    socket.emit('error', new Error('reset'));
    expect(answers).toEqual(['first: ConnectionLostError', 'second: ConnectionLostError']);
    expect(thrown).toHaveLength(1);
  });
});

describe('a node that does not answer as it should', () => {
  let socket: QuietSocket;
  let connection: CommandConnection;

  beforeEach(() => {
    socket = new QuietSocket();
    const opened = { socket: socket as unknown as Socket, close: () => socket.destroy() };
    connection = new CommandConnection('127.0.0.1:7000' as never, opened, 1_000);
  });

  afterEach(() => {
    connection.close();
    jest.useRealTimers();
  });

  const receive = (text: string): boolean => socket.emit('data', Buffer.from(text));
  const isCalled = (reply: unknown): string | undefined => (Buffer.isBuffer(reply) ? 'bytes' : undefined);
  const invalid = { name: 'ConnectionLostError', disconnectReason: 'invalid-reply' };
  const unresponsive = { name: 'ConnectionLostError', disconnectReason: 'unresponsive' };

  it('with a reply that no command waits for, loses its connection', async () => {
    receive('+PONG\r\n');
    expect(connection.closed).toBe(true);
    await expect(connection.call('PING')).rejects.toMatchObject({
      message: 'the connection to 127.0.0.1:7000 was lost: invalid reply: one that no command waits for',
      ...invalid,
    });
  });

  it('with an error that no command waits for, is quoted', async () => {
    receive('-ERR max number of clients reached\r\n');
    await expect(connection.call('PING')).rejects.toThrow('max number of clients reached');
  });

  it('with a reply of another type, loses its connection, and no command gets a reply from then on', async () => {
    const wrong = connection.query(isCalled, 'ECHO', 'x');
    const later = connection.query(isCalled, 'ECHO', 'x');
    receive(':1\r\n$1\r\nx\r\n');
    await expect(wrong).rejects.toMatchObject(invalid);
    await expect(later).rejects.toMatchObject(invalid);
  });

  it('with a push of RESP3, is not taken to have replied', async () => {
    const reply = connection.query(isCalled, 'ECHO', 'x');
    receive('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nx\r\n');
    expect(await reply).toBe('bytes');
  });

  it('loses its connection when the oldest command has no reply in time, whatever else it sends', async () => {
    jest.useFakeTimers();
    const first = connection.call('PING');
    const failed = expect(first).rejects.toMatchObject(unresponsive);
    for (let ms = 0; ms < 1_300; ms += 10) {
      jest.advanceTimersByTime(10);
      receive('>1\r\n$4\r\nbusy\r\n');
    }
    await failed;
  });

  it('is given its time for each command', async () => {
    jest.useFakeTimers();
    for (let round = 0; round < 20; round += 1) {
      const reply = connection.call('PING');
      jest.advanceTimersByTime(900);
      receive('+PONG\r\n');
      expect(String(await reply)).toBe('PONG');
    }
  });

  it('loses its connection where each reply is in time for the next command, but not for its own', async () => {
    jest.useFakeTimers();
    const replies = Array.from({ length: 10 }, () => connection.call('PING'));
    const failed = expect(replies[9]).rejects.toMatchObject(unresponsive);
    for (let ms = 0; ms < 1_500; ms += 500) {
      jest.advanceTimersByTime(500);
      if (!connection.closed) receive('+PONG\r\n');
    }
    await failed;
    await Promise.allSettled(replies);
  });

  it('is not blamed for an event loop that was blocked', async () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const reply = connection.call('PING');
    jest.advanceTimersByTime(250);
    // Timers that are late fire once, and the socket is read after them.
    jest.advanceTimersByTime(250);
    expect(connection.closed).toBe(false);
    receive('+PONG\r\n');
    expect(String(await reply)).toBe('PONG');
  });
});

describe('a command with an argument that is neither a string nor bytes', () => {
  it('is refused before anything of it is written, and the connection goes on', async () => {
    const written: string[] = [];
    const socket = new QuietSocket();
    socket._write = (chunk, _encoding, done) => {
      written.push(String(chunk));
      done();
    };
    const opened = { socket: socket as unknown as Socket, close: () => socket.destroy() };
    const connection = new CommandConnection('127.0.0.1:7000' as never, opened, 1_000);
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(connection.call('PUBSUB', 5 as never)).rejects.toMatchObject(refused);
    await expect(connection.call('PUBSUB', {} as never, 'CHANNELS')).rejects.toMatchObject(refused);
    const pong = connection.call('PING');
    await new Promise(setImmediate);
    expect(written).toEqual(['*1\r\n$4\r\nPING\r\n']);
    socket.emit('data', Buffer.from('+PONG\r\n'));
    expect(String(await pong)).toBe('PONG');
    connection.close();
  });
});
