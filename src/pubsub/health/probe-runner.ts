import { setMaxListeners } from 'node:events';
import { backoffDelay, pause } from '../../util/backoff.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import type { Deadline } from '../../util/deadline.js';
import { ClosedError } from '../common/errors.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';
import {
  isRefusal,
  isUnrelatedToNode,
  LivenessProbe,
  type LivenessProbeDeps,
} from '../liveness/liveness-probe.js';
import { SubscriberConnection } from '../connection/subscriber-connection.js';
import type { NodeSubscriber } from '../reconciler/node-subscriber.js';
import type { Topology } from '../topology/topology.js';
import { errorReason } from '../../util/error-message.js';

/** How long a connection of our own is kept after the last probe, in ms. */
const KEPT_FOR = 60_000;

/** The longest wait before a probe whose slot has moved is tried anew, in ms. */
const MAX_BACKOFF = 100;

export type ProbeResult =
  | { readonly outcome: 'delivered'; readonly ms: number }
  /** The node owns too few slots for a probe channel, or is not a master any more. */
  | { readonly outcome: 'impossible' }
  /** The ACL forbids the channel. */
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'lost'; readonly reason: string };

/** A connection that is there for probes alone. */
interface Spare {
  readonly connection: SubscriberConnection;
  readonly probe: LivenessProbe;
}

/**
 * Proves that messages get through a master: on the connection that carries our subscriptions there, and where there is
 * none on a spare one, which is kept for the next probe. Slots that move under a probe, and connections that we close
 * ourselves, are no fault of the node: it is tried anew.
 */
export class ProbeRunner {
  readonly #spares = new Map<NodeKey, Promise<Spare>>();
  readonly #stop = new AbortController();
  #idle: NodeJS.Timeout | undefined;

  constructor(
    private readonly sessions: ReadonlyMap<NodeKey, NodeSubscriber>,
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly surroundings: LivenessProbeDeps,
    private readonly topology: Topology,
  ) {
    setMaxListeners(0, this.#stop.signal); // one for each probe that waits to be tried anew
    topology.onChange(({ masters }) => {
      for (const node of this.#spares.keys()) {
        if (!masters.includes(node)) {
          this.#drop(node);
        }
      }
    });
  }

  /** Resolves by the deadline in any case. */
  async ping(node: NodeKey, deadline: Deadline): Promise<ProbeResult> {
    try {
      const ms = await deadline.or(
        this.#prove(node, deadline),
        (limit) => new Error(`it did not come back within ${limit} ms`),
      );
      return ms === undefined ? { outcome: 'impossible' } : { outcome: 'delivered', ms };
    } catch (error) {
      return { outcome: isRefusal(error) ? 'refused' : 'lost', reason: errorReason(error) };
    }
  }

  close(): void {
    this.#stop.abort();
    this.#dropAll();
  }

  /** Undefined where the node has no channel for it, or is not to be proved any more. */
  async #prove(node: NodeKey, deadline: Deadline): Promise<number | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      if (!this.topology.masters.includes(node)) {
        return undefined;
      }
      try {
        return await (this.sessions.get(node)?.ping() ?? this.#proveOnSpare(node));
      } catch (error) {
        if (!isUnrelatedToNode(error)) {
          if (!this.topology.masters.includes(node)) {
            return undefined;
          }
          throw error;
        }
        // The node is the first to know what it has lost.
        await this.topology.refreshFrom(node).catch(() => undefined);
        await pause(backoffDelay(attempt, 5, MAX_BACKOFF), this.#stop.signal);
        if (deadline.left === 0 || this.#stop.signal.aborted) {
          throw error;
        }
      }
    }
  }

  async #proveOnSpare(node: NodeKey): Promise<number | undefined> {
    const opening = this.#spare(node);
    const { probe } = await opening;
    // Nobody else would find out that it is dead. Whoever asked may have given up long before.
    const silent = setTimeout(() => {
      this.#drop(node, opening);
    }, this.surroundings.limits.probeTimeout).unref();
    try {
      return await probe.ping();
    } finally {
      clearTimeout(silent);
    }
  }

  #spare(node: NodeKey): Promise<Spare> {
    this.#idle ??= setTimeout(() => {
      this.#dropAll();
    }, KEPT_FOR).unref();
    this.#idle.refresh();
    const known = this.#spares.get(node);
    if (known !== undefined) {
      return known;
    }
    const forget = (): void => {
      if (this.#spares.get(node) === spare) {
        this.#spares.delete(node);
      }
    };
    const spare = this.#open(node, forget);
    this.#spares.set(node, spare);
    spare.catch(forget);
    return spare;
  }

  async #open(node: NodeKey, ended: () => void): Promise<Spare> {
    const opened = await this.factory.open(parseNodeKey(node));
    if (this.#stop.signal.aborted) {
      opened.close();
      throw new ClosedError();
    }
    const connection = new SubscriberConnection(node, opened, this.commandTimeout, {
      message: (_kind, match) => {
        probe.onMessage(match);
      },
      revoked: (_kind, channel) => {
        probe.onRevoked(channel);
      },
      closed: (error) => {
        probe.close(error);
        ended();
      },
      handled: () => undefined,
    });
    // It need not be found out at once when this one is silent: the next proof will show.
    const limits = { ...this.surroundings.limits, probeInterval: 0 };
    const probe = new LivenessProbe(node, connection, { ...this.surroundings, limits });
    return { connection, probe };
  }

  /** The one that is kept, or one whose place another may have taken. */
  #drop(node: NodeKey, which = this.#spares.get(node)): void {
    if (this.#spares.get(node) === which) {
      this.#spares.delete(node);
    }
    which?.then(
      ({ connection }) => {
        connection.close();
      },
      () => undefined,
    );
  }

  #dropAll(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
    for (const node of [...this.#spares.keys()]) {
      this.#drop(node);
    }
  }
}
