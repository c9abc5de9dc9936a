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
