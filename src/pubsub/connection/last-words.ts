import type { Redis } from 'ioredis';
import type { Socket } from 'node:net';
import { RespDecoder } from '../resp/decoder.js';
import { InvalidReplyError, RedisReplyError } from '../resp/reply.js';

/** One error reply, and nothing else. */
const ONE_ERROR = /^-([^\r\n]+)\r\n$/;

/** Of the commands that ioredis sends on its own account and may be unknown to an old server. */
const IRRELEVANT = /unknown (?:sub)?command/i;

const MAX_BYTES = 1_024;

interface Connector {
  connect(...args: unknown[]): Promise<Socket>;
}

/**
 * Reads what a server says before it closes a connection at once, such as `-ERR max number of clients reached`.
 *
 * ioredis writes several times when a connection opens. The server has closed its end by then, so the second write fails
 * with `EPIPE`, which destroys the socket before anything is read; or ioredis gives the reply to a command of its own
 * whose errors it ignores (5.11 and 6.0). So what is written in the first turn goes out as one.
 *
 * @returns what the server has said, if it was one error and no more
 */
export function watchLastWords(redis: Redis): () => RedisReplyError | undefined {
  const connector = Reflect.get(redis, 'connector') as Connector | undefined;
  let text = '';
  if (connector !== undefined) {
    const connect = connector.connect.bind(connector);
    connector.connect = async (...args) => {
      const socket = await connect(...args);
      socket.once('connect', () => {
        socket.cork();
        setImmediate(() => socket.uncork());
      });
      socket.on('data', (data: Buffer) => {
        text += text.length > MAX_BYTES ? '' : data.toString('latin1');
      });
      return socket;
    };
  }
  return () => {
    const [, words] = ONE_ERROR.exec(text) ?? [];
    return words === undefined || IRRELEVANT.test(words) ? undefined : new RedisReplyError(words);
  };
}

/**
 * Keeps replies from ioredis that no command of it waits for: a null among them makes its reader throw where nobody can
 * catch it (6.0), which ends the process.
 *
 * @param onStray is called instead; nothing more is passed on
 */
export function keepStrayReplies(redis: Redis, onStray: (error: InvalidReplyError) => void): void {
  redis.once('connect', () => {
    const socket = redis.stream;
    const readers = socket.listeners('data') as ((data: Buffer) => void)[];
    let replies = 0;
    const counter = new RespDecoder((_reply, isPush) => (replies += isPush ? 0 : 1));
    socket.removeAllListeners('data');
    socket.on('data', (data: Buffer) => {
      const waiting =
        (Reflect.get(redis, 'commandQueue') as { length: number } | undefined)?.length ?? Infinity;
      replies = 0;
      try {
        counter.write(data);
      } catch {
        // ioredis says what it cannot read.
      }
      if (replies > waiting && !ONE_ERROR.test(data.toString('latin1', 0, MAX_BYTES))) {
        onStray(new InvalidReplyError('one that no command waits for'));
        return;
      }
      readers.forEach((read) => read.call(socket, data));
    });
  });
}
