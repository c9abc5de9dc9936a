import type { Redis } from 'ioredis';
import type { Socket } from 'node:net';
import { RedisReplyError } from '../resp/reply.js';

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
