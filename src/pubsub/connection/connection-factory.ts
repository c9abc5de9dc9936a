import { Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { Socket } from 'node:net';
import { AuthenticationError, ClusterPubSubError, ClusterUnreachableError } from '../common/errors.js';
import type { NodeAddress } from '../common/node-address.js';
import { errorMessage } from '../../util/error-message.js';

/** A socket on which Redis has accepted us: connected, encrypted and authenticated as the options ask. */
export interface OpenSocket {
  readonly socket: Socket;
  /** Ends the connection at once. */
  close(): void;
}

/** What the parsers of ioredis 5 and 6 say of bytes that are none of Redis's. */
const NO_REDIS = /RESP type|as reply type byte/i;

const AUTHENTICATION_FAILURE = /\b(?:WRONGPASS|NOAUTH|NOPERM)\b|invalid (?:username-)?password/i;

/**
 * Opens connections to single nodes.
 *
 * ioredis opens the door (TLS, AUTH or HELLO, name lookup, time limits: everything its users have configured and
 * trust), then we talk on the socket ourselves. ioredis's own reader cannot serve here: in RESP2 it leaves subscriber
 * mode when the last *shard* channel goes, though classic ones still stand (read in `DataHandler`, 5.11 and 6.0), and
 * a Command object and a promise a publish are most of its cost. See docs/adr/0002.
 */
export class ConnectionFactory {
  readonly #redisOptions: RedisOptions;
  readonly #dnsLookup: ClusterOptions['dnsLookup'];
  readonly #attempts = new Set<(reason: string) => void>();

  constructor(
    clusterOptions: ClusterOptions,
    inherited: Pick<RedisOptions, 'username' | 'password' | 'tls'>,
    private readonly connectTimeout: number,
  ) {
    const own = clusterOptions.redisOptions ?? {};
    this.#dnsLookup = clusterOptions.dnsLookup;
    this.#redisOptions = {
      connectionName: 'nestjs-cluster-pubsub',
      ...inherited,
      ...own,
      lazyConnect: true,
      retryStrategy: () => null,
      enableReadyCheck: false,
      autoResubscribe: false,
      // Its timer would outlive the moment we take the socket over, and end a healthy connection.
      socketTimeout: undefined,
      // disconnect() waits so long for a 'close' that a refused connection has had already: the process would stay up.
      disconnectTimeout: 0,
    };
  }

  /**
   * Resolves when the node answers PING, which also shows that it is not still loading its data.
   *
   * @throws {@link AuthenticationError} when Redis refuses the credentials
   * @throws {@link ClusterUnreachableError} when it does not answer within `connectTimeout`
   */
  async open(address: NodeAddress, timeout = this.connectTimeout): Promise<OpenSocket> {
    const node = `${address.host}:${String(address.port)}`;
    let redis: Redis | undefined;
    let cause: unknown;
    let tooLate: (reason: Error) => void = () => undefined;
    const end = new Promise<never>((_, reject) => (tooLate = reject));
    const giveUp = (reason: string): void => {
      cause ??= new Error(reason);
      tooLate(new Error(reason));
      redis?.disconnect();
      streamOf(redis)?.destroy();
    };
    // ioredis's connectTimeout ends at the TCP handshake, which the kernel completes for a paused process too.
    const isTls = this.#redisOptions.tls !== undefined;
    const late = `no answer within ${String(timeout)} ms${isTls ? ' (is it TLS that it speaks?)' : ''}`;
    const deadline = setTimeout(giveUp, timeout, late);
    this.#attempts.add(giveUp);
    try {
      const host = await Promise.race([this.#lookup(address.host), end]);
      redis = new Redis({ ...this.#redisOptions, host, port: address.port, connectTimeout: timeout });
      redis.on('error', (error: Error) => {
        cause ??= error;
      });
      await Promise.race([redis.connect().then(() => redis?.ping()), end]);
    } catch (error) {
      redis?.disconnect();
      throw describe(node, cause ?? error);
    } finally {
      clearTimeout(deadline);
      this.#attempts.delete(giveUp);
    }
    return takeOver(redis);
  }

  /** Ends every attempt that is under way: none of them is wanted any more. */
  close(): void {
    for (const giveUp of this.#attempts) {
      giveUp('closed by us');
    }
  }

  #lookup(host: string): Promise<string> {
    const lookup = this.#dnsLookup;
    if (lookup === undefined) {
      return Promise.resolve(host);
    }
    return new Promise((resolve, reject) => {
      lookup(host, (error, address) => {
        if (error) {
          reject(new ClusterUnreachableError(`Cannot look up "${host}": ${error.message}`, { cause: error }));
        } else {
          resolve(address);
        }
      });
    });
  }
}

/** The types say that it is always there; it is not until `connect()` has got as far. */
function streamOf(redis: Redis | undefined): Socket | undefined {
  return redis?.stream;
}

function takeOver(redis: Redis): OpenSocket {
  const socket = redis.stream;
  socket.removeAllListeners('data');
  socket.setKeepAlive(true, 10_000);
  return {
    socket,
    close: () => {
      redis.disconnect();
      socket.destroy();
    },
  };
}

function describe(node: string, cause: unknown): ClusterPubSubError {
  if (cause instanceof ClusterPubSubError) {
    return cause;
  }
  if (cause instanceof Error) {
    // ioredis hangs the command on its errors, and AUTH and HELLO carry the password.
    Reflect.deleteProperty(cause, 'command');
  }
  const said = errorMessage(cause);
  const message = NO_REDIS.test(said)
    ? 'what answers there does not speak the Redis protocol. Is it the right port, and does it want TLS?'
    : said;
  return AUTHENTICATION_FAILURE.test(message)
    ? new AuthenticationError(node, message, { cause })
    : new ClusterUnreachableError(`Cannot connect to Redis at ${node}: ${message}`, { cause });
}
