import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from '../../util/backoff.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import type { Deadline } from '../../util/deadline.js';
import { ClosedError } from '../common/errors.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';
import { isRefusal, isUnrelatedToNode, LivenessProbe } from '../liveness/liveness-probe.js';
import { SubscriberConnection } from '../connection/subscriber-connection.js';
import type { NodeProbeDeps } from '../reconciler/node-subscriber.js';
import type { NodeSubscribers } from '../reconciler/node-subscribers.js';
import type { Topology } from '../topology/topology.js';
import { errorReason, lateError } from '../../util/error-message.js';

/** A connection for probes is closed when it has not been used for this long. */
const IDLE_TIMEOUT_MS = 60_000;

/** The delays between attempts while the slot of a probe moves. */
const MIN_RETRY_DELAY_MS = 5;
const MAX_RETRY_DELAY_MS = 100;

export type ProbeResult =
  | { readonly outcome: 'delivered'; readonly ms: number }
  /** The node owns too few slots for a probe channel, or is not a master any more. */
  | { readonly outcome: 'impossible' }
  /** The ACL forbids the channel. */
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'lost'; readonly reason: string };

/** A connection without subscriptions, opened for probes. */
interface ProbeConnection {
  readonly connection: SubscriberConnection;
  readonly probe: LivenessProbe;
  readonly idleTimer: NodeJS.Timeout;
}

/**
 * Sends probes through masters: on the connection that carries our subscriptions there, else on one of its own, which is
 * kept for the next probe. A slot that moves, or a connection that we close ourselves, is not a fault of the node: the
 * probe is repeated.
 */
export class ProbeRunner {
  readonly #connections = new Map<NodeKey, Promise<ProbeConnection>>();
  #stop = new AbortController();

  constructor(
    private readonly subscribers: NodeSubscribers,
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly deps: NodeProbeDeps,
    private readonly topology: Topology,
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each probe that waits for its next attempt
  }

  /** Resolves by the deadline in any case. */
  async ping(node: NodeKey, deadline: Deadline): Promise<ProbeResult> {
    let failure: unknown = undefined;
    const noteFailure = (error: unknown): void => {
      failure = error;
    };
    try {
      const ms = await deadline.or(this.#pingUntil(node, deadline, noteFailure), (limit) =>
        lateError(`it did not come back within ${limit} ms`, failure ?? this.factory.failures.of(node)),
      );
      return ms === undefined ? { outcome: 'impossible' } : { outcome: 'delivered', ms };
    } catch (error) {
      return { outcome: isRefusal(error) ? 'refused' : 'lost', reason: errorReason(error) };
    }
  }

  /** Ends the probes under way, and closes the connections; opens none until {@link reopen}. */
  close(): void {
    this.#stop.abort();
    for (const node of this.#connections.keys()) {
      this.#closeConnectionTo(node);
    }
  }

  reopen(): void {
    if (!this.#stop.signal.aborted) {
      return;
    }
    this.#stop = new AbortController();
    setMaxListeners(0, this.#stop.signal);
  }

  async #pingUntil(
    node: NodeKey,
    deadline: Deadline,
    onFailure: (error: unknown) => void,
  ): Promise<number | undefined> {
    const { signal } = this.#stop;
    for (let attempt = 0; this.topology.masters.includes(node); attempt += 1) {
      try {
        return await (this.#pingOnCarrier(node) ?? this.#pingOnOwnConnection(node));
      } catch (error) {
        onFailure(error);
        if (isUnrelatedToNode(error)) {
          // The node is the first to know which slots it has lost.
          await this.topology.refreshFrom(node).catch(() => undefined);
          await pause(backoffDelay(attempt, MIN_RETRY_DELAY_MS, MAX_RETRY_DELAY_MS), signal);
        } else if (this.topology.masters.includes(node)) {
          throw error;
        }
        if (deadline.left === 0 || signal.aborted) {
          throw error;
        }
      }
    }
    return undefined;
  }

  /** On a connection that carries subscriptions there; then none for probes alone is needed. */
  #pingOnCarrier(node: NodeKey): Promise<number | undefined> | undefined {
    const carrier = this.subscribers.of(node).find(({ connected }) => connected);
    if (carrier !== undefined) {
      this.#closeConnectionTo(node);
    }
    return carrier?.ping();
  }

  async #pingOnOwnConnection(node: NodeKey): Promise<number | undefined> {
    const { connection, probe, idleTimer } = await this.#connectionTo(node);
    idleTimer.refresh();
    // Nothing else finds out that this connection is dead, and the deadline of the caller may be too short to tell.
    const lostTimer = setTimeout(() => connection.close(), this.deps.limits.probeTimeout).unref();
    try {
      return await probe.ping();
    } finally {
      clearTimeout(lostTimer);
    }
  }

  #connectionTo(node: NodeKey): Promise<ProbeConnection> {
    let opening = this.#connections.get(node);
    if (opening === undefined) {
      opening = this.#open(node);
      this.#connections.set(node, opening);
      opening.catch(() => this.#connections.delete(node));
    }
    return opening;
  }

  #closeConnectionTo(node: NodeKey): void {
    this.#connections.get(node)?.then(
      ({ connection }) => connection.close(),
      () => undefined,
    );
  }

  async #open(node: NodeKey): Promise<ProbeConnection> {
    const { signal } = this.#stop;
    if (signal.aborted) {
      throw new ClosedError();
    }
    const opened = await this.factory.open(parseNodeKey(node));
    if (signal.aborted as boolean) {
      opened.close();
      throw new ClosedError();
    }
    const connection = new SubscriberConnection(node, opened, this.commandTimeout, {
      message: (_kind, match) => probe.onMessage(match),
      revoked: (_kind, channel) => probe.onRevoked(channel),
      closed: (error) => {
        this.#connections.delete(node);
        clearTimeout(idleTimer);
        probe.close(error);
      },
      handled: () => undefined,
    });
    // Without subscriptions nothing is lost when the connection is dead until the next probe.
    const probe = new LivenessProbe(node, connection, {
      ...this.deps,
      count: () => undefined,
      limits: { ...this.deps.limits, probeInterval: 0 },
    });
    const idleTimer = setTimeout(() => connection.close(), IDLE_TIMEOUT_MS).unref();
    return { connection, probe, idleTimer };
  }
}
