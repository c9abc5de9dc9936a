import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from '../../util/backoff.js';
import { lateError } from '../../util/error-message.js';
import { withTimeout } from '../../util/promises.js';
import { ClosedError, QueueFullError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { OverflowPolicy } from '../common/options.js';
import { publishFailure, type PublishRequest, type PublishRequestListener } from './publish-request.js';
import { PublishQueue } from './publish-queue.js';
import type { Topology } from '../topology/topology.js';

/** How long one attempt to connect may take before the deadlines of the queued messages are checked. */
const MAX_CONNECT_WAIT_MS = 250;

interface QueueLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

/**
 * The messages that wait for a node that is unreachable, or that refuses them for the moment.
 *
 * They wait in order, at most `maxQueuedMessages` per node and at most `commandTimeout` long, and follow their slot when
 * it moves. Each node has a queue of its own, so that a failed one delays no other.
 */
export class OfflineQueues {
  readonly #queues = new Map<NodeKey | undefined, PublishQueue>();
  readonly #stop = new AbortController();

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly limits: QueueLimits,
    private readonly listener: PublishRequestListener,
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each unreachable node
    topology.onChange(() => this.#reroute(), this.#stop.signal);
  }

  /** True if messages wait for the node: later ones have to wait too. */
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

  /** Number of messages that wait for the node; `undefined` means slots without an owner. */
  waitingFor(node: NodeKey | undefined): number {
    return this.#queues.get(node)?.length ?? 0;
  }

  add(node: NodeKey | undefined, request: PublishRequest): void {
    if (this.#stop.signal.aborted) {
      this.listener.fail(request, new ClosedError());
      return;
    }
    request.waited = true;
    request.deadline ||= Date.now() + this.limits.commandTimeout;
    let queue = this.#queues.get(node);
    if (queue === undefined) {
      queue = new PublishQueue();
      queue.add(request);
      this.#queues.set(node, queue);
      void this.#recover(node, queue);
      return;
    }
    const { maxQueuedMessages, onOverflow } = this.limits;
    const dropped = queue.addBounded(request, queue.length >= maxQueuedMessages, onOverflow);
    if (dropped !== undefined) {
      this.listener.fail(dropped, new QueueFullError(node ?? 'an unowned slot', maxQueuedMessages));
    }
  }

  /** Fails the messages that still wait. */
  close(): void {
    this.#stop.abort();
    for (const queue of this.#queues.values()) {
      for (const request of queue.drain()) {
        this.listener.fail(request, new ClosedError());
      }
    }
  }

  /** Connects to `node` until its queue can be sent or has expired. Runs once per unreachable node. */
  async #recover(node: NodeKey | undefined, queue: PublishQueue): Promise<void> {
    for (let attempt = 0; queue.length > 0; attempt += 1) {
      // A connected node has replied with a transient error: it needs a moment.
      if (attempt > 0 || node === undefined || this.connections.get(node) !== undefined) {
        const wait = backoffDelay(attempt + (queue.peek()?.refusals ?? 0));
        await pause(Math.min(wait, timeLeft(queue)), this.#stop.signal);
      }
      const failed = await this.#connect(node, queue);
      for (const late of queue.takeExpired(Date.now())) {
        const cause = late.refusal ?? failed ?? new Error('the cluster could not accept it');
        this.listener.fail(late, publishFailure(late, node, cause));
      }
      if (failed === undefined) {
        break;
      }
      this.topology.refreshSoon();
    }
    this.#queues.delete(node);
    for (const request of queue.drain()) {
      this.listener.dispatch(request);
    }
  }

  /**
   * Resolves to undefined, or to the error. A node that hangs takes longer to fail than its messages may wait, so the wait
   * is cut short: their deadlines are checked, and the topology is refreshed, because another node may have taken over.
   */
  async #connect(node: NodeKey | undefined, queue: PublishQueue): Promise<unknown> {
    if (node === undefined) {
      return lateError('no node owns the slot', this.topology.lastQuery.failure);
    }
    const wait = Math.min(MAX_CONNECT_WAIT_MS, timeLeft(queue));
    const late = new Error(`${node} does not reply`);
    try {
      await withTimeout(this.connections.connect(node), wait, () => late);
      return undefined;
    } catch (error) {
      return error === late ? (this.connections.failureOf(node) ?? late) : error;
    }
  }

  /** Sends the messages whose slot has another owner now to that node, in order. */
  #reroute(): void {
    for (const [node, queue] of [...this.#queues]) {
      for (const request of queue.drain()) {
        if (this.topology.ownerOf(request.outgoingChannel.slot) === node) {
          queue.add(request);
        } else {
          this.listener.dispatch(request);
        }
      }
    }
  }
}

/** How long the first message may still wait, in ms. */
function timeLeft(queue: PublishQueue): number {
  return Math.max(0, (queue.peek()?.deadline ?? 0) - Date.now());
}
