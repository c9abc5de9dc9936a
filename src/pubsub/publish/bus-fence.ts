import { randomBytes } from 'node:crypto';
import { deferred, withTimeout, type Deferred } from '../../util/promises.js';
import { channelKey, PROBE_MARK } from '../common/channel-name.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';
import { SUBSCRIPTION_KINDS } from '../common/subscription-kind.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import { SubscriberConnection } from '../connection/subscriber-connection.js';
import { RedisReplyError } from '../resp/reply.js';

/** How long a marker may take, with the connections that it needs, in ms. A node that has failed takes that long. */
const MARKER_TIMEOUT_MS = 300;

/** How long the connections stay after the last marker, in ms: slots are migrated one after the other. */
const IDLE_TIMEOUT_MS = 10_000;

export interface BusFenceDeps {
  readonly factory: ConnectionFactory;
  readonly connections: CommandConnectionPool;
  readonly commandTimeout: number;
  /** Starts the name of the channel of the markers, for ACLs that allow channels by prefix. */
  prefix(): string;
}

interface Marker {
  /** The nodes that have not delivered it. */
  readonly awaited: Set<NodeKey>;
  readonly passed: Deferred<undefined>;
}

/**
 * Proves that the cluster bus has brought the messages of one node to others.
 *
 * A node passes classic messages on to each other node over one link, in order. So a marker that was published through a
 * node after a message, and is delivered by another node, shows that the message has been delivered there before.
 */
export class BusFence {
  readonly #id = randomBytes(6).toString('base64url');
  readonly #watchers = new Map<NodeKey, Promise<SubscriberConnection>>();
  readonly #markers = new Map<string, Marker>();
  #sent = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Of the markers; the same for as long as there are watchers. */
  #channel = '';
  /** The ACL forbids the channel of the markers. */
  #forbidden = false;

  constructor(private readonly deps: BusFenceDeps) {}

  /**
   * Resolves to true when everything that `from` has published before the call was delivered by all `targets`; to false
   * if that cannot be told soon.
   */
  async pass(from: NodeKey, targets: readonly NodeKey[]): Promise<boolean> {
    if (this.#forbidden || this.deps.factory.failures.of(from) !== undefined) {
      return false; // a node that cannot be reached would take the whole time
    }
    const id = String(this.#sent);
    this.#sent += 1;
    const marker: Marker = { awaited: new Set(targets), passed: deferred() };
    this.#markers.set(id, marker);
    try {
      const late = (): Error => new Error('the marker has not come back');
      await withTimeout(this.#send(from, id, marker), MARKER_TIMEOUT_MS, late);
      return true;
    } catch (error) {
      this.#forbidden ||= error instanceof RedisReplyError && error.kind === 'NOPERM';
      return false;
    } finally {
      this.#markers.delete(id);
    }
  }

  /** Closes the connections; later calls open new ones. */
  close(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    for (const watcher of this.#watchers.values()) {
      watcher.then(
        (connection) => connection.close(),
        () => undefined,
      );
    }
    this.#watchers.clear();
  }

  async #send(from: NodeKey, id: string, { awaited, passed }: Marker): Promise<void> {
    const watchers = [...awaited].map((node) => this.#watcher(node));
    const [connection] = await Promise.all([this.deps.connections.connect(from), ...watchers]);
    await Promise.all([connection.call('PUBLISH', this.#channel, id), passed.promise]);
  }

  #watcher(node: NodeKey): Promise<SubscriberConnection> {
    this.#idleTimer ??= setTimeout(() => this.close(), IDLE_TIMEOUT_MS).unref();
    this.#idleTimer.refresh();
    if (this.#watchers.size === 0) {
      this.#channel = `${this.deps.prefix()}${PROBE_MARK}bus:${this.#id}`;
    }
    let watcher = this.#watchers.get(node);
    if (watcher === undefined) {
      const forget = (): void => {
        if (this.#watchers.get(node) === watcher) {
          this.#watchers.delete(node);
        }
      };
      watcher = this.#open(node, forget);
      watcher.catch(forget);
      this.#watchers.set(node, watcher);
    }
    return watcher;
  }

  async #open(node: NodeKey, onClosed: () => void): Promise<SubscriberConnection> {
    const opened = await this.deps.factory.open(parseNodeKey(node));
    const connection = new SubscriberConnection(node, opened, this.deps.commandTimeout, {
      message: (_kind, _match, _channel, data) => this.#arrived(node, data.toString('latin1')),
      revoked: () => undefined,
      handled: () => undefined,
      closed: onClosed,
    });
    try {
      await connection.subscribe(SUBSCRIPTION_KINDS.channel, [channelKey(this.#channel)], () => undefined);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #arrived(node: NodeKey, id: string): void {
    const marker = this.#markers.get(id);
    if (marker?.awaited.delete(node) === true && marker.awaited.size === 0) {
      marker.passed.resolve(undefined);
    }
  }
}
