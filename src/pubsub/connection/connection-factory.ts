import { Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { Socket } from 'node:net';
import { deferred, withTimeout, type Deferred } from '../../util/promises.js';
import { AuthenticationError, ClusterPubSubError, ClusterUnreachableError } from '../common/errors.js';
import { nodeKey, type NodeAddress, type NodeKey } from '../common/node-address.js';
import { isServingRefusal } from '../resp/reply.js';
import { errorMessage } from '../../util/error-message.js';
import { ClusterIdentity } from './cluster-identity.js';
import { keepStrayReplies, watchLastWords } from './last-words.js';
import { isSaidByRedis, NodeFailures } from './node-failures.js';

/** A socket that is connected, encrypted and authenticated as the options require. */
export interface OpenSocket {
  readonly socket: Socket;
  /** Ends the connection at once. */
  close(): void;
}

/** Errors of the parsers of ioredis 5 and 6 for bytes that are not RESP. */
const PROTOCOL_ERROR = /RESP type|as reply type byte/i;

/** Of ioredis, whose timer may run out before ours. */
const CONNECT_TIMEOUT = /\bETIMEDOUT$/;

const AUTHENTICATION_FAILURE = /\b(?:WRONGPASS|NOAUTH|NOPERM)\b|invalid (?:username-)?password/i;

/**
 * Opens connections to single nodes.
 *
 * ioredis connects (TLS, AUTH or HELLO, name lookup, timeouts: everything its users have configured and trust), then
 * this package speaks RESP on the socket. The reader of ioredis does not fit: in RESP2 it leaves subscriber mode when the
 * last *shard* channel is unsubscribed, though classic ones are still subscribed (read in `DataHandler`, 5.11 and 6.0),
 * and a Command object and a promise are most of the cost of its publish. See docs/adr/0002.
 */
export class ConnectionFactory {
  /** Every connection is checked against it before it is used. */
  readonly identity = new ClusterIdentity();
  /** Why nodes could not be connected to. */
  readonly failures = new NodeFailures();
  readonly #redisOptions: RedisOptions;
  readonly #dnsLookup: ClusterOptions['dnsLookup'];
  readonly #attempts = new Set<Deferred<never>>();

  constructor(
    clusterOptions: ClusterOptions,
    inherited: Pick<RedisOptions, 'username' | 'password' | 'tls'>,
    private readonly connectTimeout: number,
    /** Used where `redisOptions` has no `connectionName`. */
    private readonly name?: () => string,
  ) {
    const own = clusterOptions.redisOptions ?? {};
    this.#dnsLookup = clusterOptions.dnsLookup;
    this.#redisOptions = {
      ...inherited,
      ...own,
      lazyConnect: true,
      retryStrategy: () => null,
      enableReadyCheck: false,
      autoResubscribe: false,
      // Its timer would keep running after we take over the socket, and end a healthy connection.
      socketTimeout: undefined,
      // disconnect() would wait this long for a 'close' that a refused connection has already had: the process stays up.
      disconnectTimeout: 0,
    };
  }

  /**
   * Resolves when the node replies to PING, which also shows that it is not loading its data, and is one of the cluster.
   *
   * @throws {@link AuthenticationError} when Redis refuses the credentials
   * @throws {@link ForeignNodeError} when the address belongs to another cluster
   * @throws {@link ClusterUnreachableError} when it does not reply within `connectTimeout`
   */
  async open(address: NodeAddress, timeout = this.connectTimeout): Promise<OpenSocket> {
    const node = nodeKey(address);
    try {
      const opened = await this.#open(address, node, timeout);
      this.failures.forget(node);
      return opened;
    } catch (error) {
      this.failures.note(node, error as Error);
      throw error;
    }
  }

  async #open(address: NodeAddress, node: NodeKey, timeout: number): Promise<OpenSocket> {
    const { identity } = this;
    identity.assertNotForeign(node);
    const ended = deferred<never>();
    let redis: Redis | undefined;
    const errors: unknown[] = [];
    let lastWords: (() => unknown) | undefined;
    const connect = async (): Promise<Redis> => {
      const host = await Promise.race([this.#lookup(address.host), ended.promise]);
      redis = new Redis({
        ...this.#redisOptions,
        connectionName: this.#redisOptions.connectionName ?? this.name?.(),
        host,
        port: address.port,
        connectTimeout: timeout,
      });
      redis.on('error', (error: Error) => {
        errors.push(error);
      });
      lastWords = watchLastWords(redis);
      keepStrayReplies(redis, (error) => ended.reject(error));
      const opened = redis;
      // Both in one round trip: nothing else is sent to a node before it is known which cluster it belongs to.
      const accepted = opened.connect().then(() => {
        const verified = identity.verify(node, (subcommand) => opened.call('CLUSTER', subcommand));
        return Promise.all([ping(opened), verified]);
      });
      await Promise.race([accepted, ended.promise]);
      return opened;
    };
    // ioredis's connectTimeout ends at the TCP handshake, which the kernel completes for a paused process too.
    const hint = this.#redisOptions.tls === undefined ? '' : ' (does the port speak TLS?)';
    const late = `no reply within ${String(timeout)} ms${hint}`;
    this.#attempts.add(ended);
    try {
      return takeOver(await withTimeout(connect(), timeout, () => new Error(late)));
    } catch (error) {
      ended.reject(error as Error);
      redis?.disconnect();
      streamOf(redis)?.destroy();
      throw describe(node, mostTelling([...errors, lastWords?.(), error]), hint);
    } finally {
      this.#attempts.delete(ended);
    }
  }

  /** Ends every attempt under way. */
  close(): void {
    for (const ended of this.#attempts) {
      ended.reject(new Error('closed by us'));
    }
  }

  #lookup(host: string): Promise<string> {
    const lookup = this.#dnsLookup;
    if (lookup === undefined) {
      return Promise.resolve(host);
    }
    return new Promise((resolve, reject) =>
      lookup(host, (error, address) => {
        if (error) {
          reject(new ClusterUnreachableError(`Cannot look up "${host}": ${error.message}`, { cause: error }));
        } else {
          resolve(address);
        }
      }),
    );
  }
}

async function ping(redis: Redis): Promise<void> {
  await redis.ping().catch((error: unknown) => {
    if (!isServingRefusal(errorMessage(error))) {
      throw error;
    }
  });
}

/** The types declare it as always set; before `connect()` opens the socket it is not. */
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

/** Redis's own words win over the socket's, and the first error over those that follow from it. */
function mostTelling(errors: readonly unknown[]): unknown {
  return errors.find(isSaidByRedis) ?? errors.find((error) => error !== undefined);
}

function describe(node: string, cause: unknown, hintIfLate: string): ClusterPubSubError {
  if (cause instanceof ClusterPubSubError) {
    return cause;
  }
  if (cause instanceof Error) {
    // ioredis attaches the command to its errors, and AUTH and HELLO contain the password.
    Reflect.deleteProperty(cause, 'command');
  }
  const text = errorMessage(cause);
  const message = PROTOCOL_ERROR.test(text)
    ? 'the server does not speak the Redis protocol. Check the port, and whether it requires TLS.'
    : text + (CONNECT_TIMEOUT.test(text) ? hintIfLate : '');
  return AUTHENTICATION_FAILURE.test(message)
    ? new AuthenticationError(node, message, { cause })
    : new ClusterUnreachableError(`Cannot connect to Redis at ${node}: ${message}`, { cause });
}
