import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from './backoff.js';
import { displayName, slotOf } from './channel-key.js';
import type { CommandConnection } from './command-connection.js';
import {
  ClosedError,
  PublishError,
  QueueFullError,
  ShardedUnsupportedError,
  type ClusterPubSubError,
  type PublishOutcome,
} from './errors.js';
import { Fifo } from './fifo.js';
import type { NodeKey } from './node-address.js';
import type { NodeConnections } from './node-connections.js';
import type { ChannelName, Payload } from './options.js';
import { RedisReplyError } from './resp/reply.js';
import type { Topology } from './topology.js';

export type PublishCommand = 'PUBLISH' | 'SPUBLISH';

/**
 * How one publish differs from the rule.
 *
 * @publicApi
 */
export interface PublishOptions {
  /**
   * Believe a count of 0 only from a node that says itself that it owns the slot, else send the same bytes to the
   * owner: a demoted master still takes messages and counts none. Receivers must bear a second copy. Default false.
   */
  verifyZero?: boolean | undefined;
  /**
   * `owner` (default): the master that owns the channel's slot takes the message, and its count is exact for those
   * subscribed to the channel by name. `patterns`: the master where pattern subscriptions stand takes it, and its
   * count is exact for those. Either way a classic message reaches both.
   */
  via?: 'owner' | 'patterns' | undefined;
}

/** A message on its way to Redis. */
interface Publication {
  readonly command: PublishCommand;
  readonly channel: ChannelName;
  readonly data: Payload;
  readonly slot: number;
  readonly verifyZero: boolean;
  readonly viaPatterns: boolean;
  /** When to give up trying to hand it to Redis, in ms since the epoch; told when it first has to wait. */
  deadline: number;
  zeros: number;
  redirects: number;
  /** How often Redis has refused it with an error that passes. */
  refusals: number;
  resolve(count: number): void;
  reject(error: ClusterPubSubError): void;
}

/** How often a count of 0 is asked again at another node. */
const MAX_ZEROS = 3;

/** How long after a change of the topology a count of 0 is asked again, times how often it was 0, in ms. */
const SUBSCRIBERS_FOLLOW = 100;

/** How often one message follows `MOVED`; two nodes may disagree for a moment while a slot moves. */
const MAX_REDIRECTS = 16;

/** How long to wait for a node that hangs before its messages are looked after, in ms. */
const LONGEST_WAIT = 250;

/** Errors of Redis that pass: the command was not run, and may work in a moment. */
const PASSING = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN']);

/**
 * Hands messages to the master that owns their channel's slot, and gives the exact count of receivers back.
 *
 * Messages to one node go out in the order of the calls. While a node cannot be reached its messages wait (at most
 * `maxQueuedMessages` of them, at most `commandTimeout` long), in order, and follow the slot when it moves. A message
 * that was written and not answered fails as `unknown`; one that never reached Redis fails as `not-delivered`.
 */
export class Publisher {
  readonly #waiting = new Map<NodeKey | undefined, Fifo<Publication>>();
  readonly #stop = new AbortController();

  constructor(
    private readonly topology: Topology,
    private readonly connections: NodeConnections,
    private readonly limits: { readonly commandTimeout: number; readonly maxQueuedMessages: number },
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each node that is waited for
    topology.onChange(() => {
      this.#reroute();
    });
  }

  publish(
    command: PublishCommand,
    channel: ChannelName,
    data: Payload,
    { verifyZero = false, via = 'owner' }: PublishOptions = {},
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#dispatch({
        command,
        channel,
        data,
        slot: slotOf(channel),
        verifyZero,
        viaPatterns: via === 'patterns',
        deadline: 0,
        zeros: 0,
        redirects: 0,
        refusals: 0,
        resolve,
        reject,
      });
    });
  }

  /** Fails what still waits. */
  close(): void {
    this.#stop.abort();
    for (const queue of this.#waiting.values()) {
      for (const publication of queue.drain()) {
        publication.reject(new ClosedError());
      }
    }
  }

  #dispatch(publication: Publication): void {
    const node = this.#target(publication);
    const connection = node === undefined ? undefined : this.connections.current(node);
    if (connection === undefined || this.#waiting.has(node)) {
      this.#enqueue(node, publication);
    } else {
      this.#send(connection, publication);
    }
  }

  #target({ viaPatterns, slot }: Publication): NodeKey | undefined {
    return viaPatterns ? this.topology.patternHome : this.topology.ownerOf(slot);
  }

  #send(connection: CommandConnection, publication: Publication): void {
    if (connection.inFlight >= this.limits.maxQueuedMessages) {
      publication.reject(new QueueFullError(connection.node, this.limits.maxQueuedMessages));
      return;
    }
    connection.send([publication.command, publication.channel, publication.data], (error, reply) => {
      if (error === undefined) {
        this.#counted(connection.node, publication, reply as number);
      } else if (error instanceof RedisReplyError) {
        this.#refused(connection.node, publication, error);
      } else {
        this.topology.refreshSoon();
        publication.reject(failure(publication, connection.node, 'unknown', error));
      }
    });
  }

  #counted(node: NodeKey, publication: Publication, count: number): void {
    if (count > 0 || !publication.verifyZero || publication.zeros >= MAX_ZEROS) {
      publication.resolve(count);
      return;
    }
    publication.zeros += 1;
    const again = (): void => this.#dispatch(publication);
    const settle = (): void => {
      if (this.#target(publication) !== node) {
        this.#dispatch(publication);
      } else if (this.topology.justChanged) {
        // Subscribers follow a slot to its new master as we do, and may be a few ms behind.
        void pause(SUBSCRIBERS_FOLLOW * publication.zeros, this.#stop.signal).then(again);
      } else {
        publication.resolve(0);
      }
    };
    // Without its word the count is no count: the message goes out once more, to whoever owns the slot by then.
    this.topology.verify(node).then(settle, () => this.topology.refresh().then(again, again));
  }

  #refused(node: NodeKey, publication: Publication, error: RedisReplyError): void {
    if (error.kind === 'MOVED' && publication.redirects < MAX_REDIRECTS) {
      publication.redirects += 1;
      this.topology.noteMoved(error, node);
      this.#dispatch(publication);
    } else if (PASSING.has(error.kind)) {
      publication.refusals += 1;
      this.topology.refreshSoon();
      this.#enqueue(this.#target(publication), publication);
    } else if (publication.command === 'SPUBLISH' && /unknown command/i.test(error.message)) {
      publication.reject(new ShardedUnsupportedError({ cause: error }));
    } else {
      publication.reject(failure(publication, node, 'not-delivered', error));
    }
  }

  #enqueue(node: NodeKey | undefined, publication: Publication): void {
    if (this.#stop.signal.aborted) {
      publication.reject(new ClosedError());
      return;
    }
    publication.deadline ||= Date.now() + this.limits.commandTimeout;
    const queue = this.#waiting.get(node);
    if (queue === undefined) {
      const fresh = new Fifo<Publication>();
      fresh.push(publication);
      this.#waiting.set(node, fresh);
      void this.#recover(node, fresh);
    } else if (queue.length >= this.limits.maxQueuedMessages) {
      publication.reject(new QueueFullError(node ?? 'an unowned slot', this.limits.maxQueuedMessages));
    } else {
      queue.push(publication);
    }
  }

  /** Connects to `node` until its queue can be sent or has expired. One runs per node that cannot be reached. */
  async #recover(node: NodeKey | undefined, queue: Fifo<Publication>): Promise<void> {
    for (let attempt = 0; queue.length > 0; attempt += 1) {
      // A node that is connected answered with an error that passes: it needs a moment.
      if (attempt > 0 || node === undefined || this.connections.current(node) !== undefined) {
        const wait = backoffDelay(attempt + (queue.peek()?.refusals ?? 0));
        await pause(Math.min(wait, timeLeft(queue)), this.#stop.signal);
      }
      const failed = await this.#connect(node, queue);
      this.#expire(queue, node, failed ?? new Error('the cluster was not able to take it'));
      if (failed === undefined) {
        break;
      }
      this.topology.refreshSoon();
    }
    this.#waiting.delete(node);
    for (const publication of queue.drain()) {
      this.#dispatch(publication);
    }
  }

  /**
   * Resolves to undefined, or to why it failed. A node that hangs takes longer to give up on than its messages may
   * wait, so they are looked after meanwhile, and the cluster is asked whether another node has taken its place.
   */
  #connect(node: NodeKey | undefined, queue: Fifo<Publication>): Promise<unknown> {
    if (node === undefined) {
      return Promise.resolve(new Error('no node owns the slot'));
    }
    return new Promise((resolve) => {
      const patience = Math.min(LONGEST_WAIT, timeLeft(queue));
      const timer = setTimeout(resolve, patience, new Error(`${node} does not answer`));
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        resolve(error);
      };
      this.connections.connect(node).then(() => {
        settle();
      }, settle);
    });
  }

  #expire(queue: Fifo<Publication>, node: NodeKey | undefined, cause: unknown): void {
    const now = Date.now();
    for (let head = queue.peek(); head !== undefined && head.deadline <= now; head = queue.peek()) {
      queue.shift();
      head.reject(failure(head, node, 'not-delivered', cause));
    }
  }

  /** Sends what waits for a node that owns its slot no longer to the one that does, in order. */
  #reroute(): void {
    for (const [node, queue] of [...this.#waiting]) {
      for (const publication of queue.drain()) {
        if (this.#target(publication) === node) {
          queue.push(publication);
        } else {
          this.#dispatch(publication);
        }
      }
    }
  }
}

/** How long the first of them may still wait, in ms. */
function timeLeft(queue: Fifo<Publication>): number {
  return Math.max(0, (queue.peek()?.deadline ?? 0) - Date.now());
}

function failure(
  { channel }: Publication,
  node: NodeKey | undefined,
  outcome: PublishOutcome,
  cause: unknown,
): PublishError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PublishError(displayName(channel), node, outcome, reason, { cause });
}
