import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from '../../util/backoff.js';
import { ClosedError, QueueFullError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { OverflowPolicy } from '../common/options.js';
import { publishFailure, type PublishRequest, type PublishRequestListener } from './publish-request.js';
import { PublishQueue } from './publish-queue.js';
import type { Topology } from '../topology/topology.js';

/** How long to wait for a node that hangs before its messages are looked after, in ms. */
const LONGEST_WAIT = 250;

interface QueueLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

/**
 * The messages that wait for a node that cannot be reached, or that does not take any just now.
 *
 * They wait in order, at most `maxQueuedMessages` of them and at most `commandTimeout` long, and follow their slot when
 * it moves. Each node has a queue of its own, so that a dead one slows no other.
 */
export class OfflineQueues {
  readonly #queues = new Map<NodeKey | undefined, PublishQueue>();
  readonly #stop = new AbortController();

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly limits: QueueLimits,
    private readonly owner: PublishRequestListener,
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each node that is waited for
    topology.onChange(() => {
      this.#reroute();
    });
  }

  /** Whether messages wait for the node: one that comes after them waits too. */
  has(node: NodeKey | undefined): boolean {
    return this.#queues.has(node);
  }

  get length(): number {
    let sum = 0;
    for (const queue of this.#queues.values()) {
      sum += queue.length;
    }
    return sum;
  }

  /** How many wait for the node; undefined stands for slots that nobody owns. */
  waitingFor(node: NodeKey | undefined): number {
    return this.#queues.get(node)?.length ?? 0;
  }

  add(node: NodeKey | undefined, request: PublishRequest): void {
    if (this.#stop.signal.aborted) {
      this.owner.fail(request, new ClosedError());
      return;
    }
    request.waited = true;
    request.deadline ||= Date.now() + this.limits.commandTimeout;
    const queue = this.#queues.get(node);
    if (queue === undefined) {
      const fresh = new PublishQueue();
      fresh.add(request);
      this.#queues.set(node, fresh);
      void this.#recover(node, fresh);
    } else {
      this.#addBounded(queue, node, request);
    }
  }

  /** Fails what still waits. */
  close(): void {
    this.#stop.abort();
    for (const queue of this.#queues.values()) {
      for (const request of queue.drain()) {
        this.owner.fail(request, new ClosedError());
      }
    }
  }

  #addBounded(queue: PublishQueue, node: NodeKey | undefined, request: PublishRequest): void {
    const { maxQueuedMessages, onOverflow } = this.limits;
    let excess: PublishRequest | undefined;
    if (queue.length >= maxQueuedMessages) {
      excess = onOverflow === 'drop-oldest' ? queue.shift() : request;
    }
    if (excess !== request) {
      queue.add(request);
    }
    if (excess !== undefined) {
      this.owner.fail(excess, new QueueFullError(node ?? 'an unowned slot', maxQueuedMessages));
    }
  }

  /** Connects to `node` until its queue can be sent or has expired. One runs per node that cannot be reached. */
  async #recover(node: NodeKey | undefined, queue: PublishQueue): Promise<void> {
    for (let attempt = 0; queue.length > 0; attempt += 1) {
      // A node that is connected answered with an error that passes: it needs a moment.
      if (attempt > 0 || node === undefined || this.connections.get(node) !== undefined) {
        const wait = backoffDelay(attempt + (queue.peek()?.refusals ?? 0));
        await pause(Math.min(wait, timeLeft(queue)), this.#stop.signal);
      }
      const failed = await this.#connect(node, queue);
      for (const late of queue.takeExpired(Date.now())) {
        const cause = failed ?? new Error('the cluster was not able to take it');
        this.owner.fail(late, publishFailure(late, node, cause));
      }
      if (failed === undefined) {
        break;
      }
      this.topology.refreshSoon();
    }
    this.#queues.delete(node);
    for (const request of queue.drain()) {
      this.owner.dispatch(request);
    }
  }

  /**
   * Resolves to undefined, or to why it failed. A node that hangs takes longer to give up on than its messages may
   * wait, so they are looked after meanwhile, and the cluster is asked whether another node has taken its place.
   */
  #connect(node: NodeKey | undefined, queue: PublishQueue): Promise<unknown> {
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

  /** Sends what waits for a node that owns its slot no longer to the one that does, in order. */
  #reroute(): void {
    for (const [node, queue] of [...this.#queues]) {
      for (const request of queue.drain()) {
        if (this.topology.ownerOf(request.outgoingChannel.slot) === node) {
          queue.add(request);
        } else {
          this.owner.dispatch(request);
        }
      }
    }
  }
}

/** How long the first of them may still wait, in ms. */
function timeLeft(queue: PublishQueue): number {
  return Math.max(0, (queue.peek()?.deadline ?? 0) - Date.now());
}
