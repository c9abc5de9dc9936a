import type { ConnectionFactory } from '../connection-factory.js';
import { ClosedError } from '../errors.js';
import { parseNodeKey, type NodeKey } from '../node-address.js';
import { isRefusal, Probe, type ProbeSurroundings } from '../probe.js';
import { SubscriberConnection } from '../subscriber-connection.js';
import type { SubscriberSession } from '../subscriber-session.js';
import type { Topology } from '../topology.js';
import type { Deadline } from './deadline.js';
import { reasonOf } from './reason-of.js';

/** How long a connection of our own is kept after the last probe, in ms. */
const KEPT_FOR = 60_000;

/** What came of one probe. */
export type ProbeResult =
  | { readonly is: 'back'; readonly ms: number }
  /** The node owns too few slots to have a channel for it. */
  | { readonly is: 'impossible' }
  /** The ACL forbids the channel. */
  | { readonly is: 'refused'; readonly why: string }
  | { readonly is: 'lost'; readonly why: string };

/** A connection that is there for probes alone. */
interface Spare {
  readonly connection: SubscriberConnection;
  readonly probe: Probe;
}

/**
 * Proves that messages get through a master: on the connection that carries our subscriptions there, and where there is
 * none on a spare one, which is kept for the next probe.
 */
export class ProbePaths {
  readonly #spares = new Map<NodeKey, Promise<Spare>>();
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly sessions: ReadonlyMap<NodeKey, SubscriberSession>,
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    private readonly surroundings: ProbeSurroundings,
    topology: Topology,
  ) {
    topology.onChange(({ masters }) => {
      for (const node of this.#spares.keys()) {
        if (!masters.includes(node)) {
          this.#drop(node);
        }
      }
    });
  }

  /** Resolves by the deadline in any case. */
  async prove(node: NodeKey, deadline: Deadline): Promise<ProbeResult> {
    const standing = this.sessions.get(node)?.prove();
    if (standing !== undefined) {
      this.#drop(node);
    }
    try {
      const ms = await deadline.or(
        standing ?? this.#spare(node).then(({ probe }) => probe.prove()),
        (limit) => new Error(`it did not come back within ${limit} ms`),
      );
      return ms === undefined ? { is: 'impossible' } : { is: 'back', ms };
    } catch (error) {
      const why = reasonOf(error);
      if (isRefusal(error)) {
        return { is: 'refused', why };
      }
      this.#drop(node); // nobody else would find out that it is dead
      return { is: 'lost', why };
    }
  }

  close(): void {
    this.#closed = true;
    this.#dropAll();
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
    if (this.#closed) {
      opened.close();
      throw new ClosedError();
    }
    const connection = new SubscriberConnection(node, opened, this.commandTimeout, {
      message: (_kind, match) => {
        probe.returned(match);
      },
      revoked: () => {
        probe.revoked();
      },
      closed: () => {
        probe.close();
        ended();
      },
      handled: () => undefined,
    });
    // It need not be found out at once when this one is silent: the next proof will show.
    const limits = { ...this.surroundings.limits, probeInterval: 0 };
    const probe = new Probe(node, connection, { ...this.surroundings, limits });
    return { connection, probe };
  }

  #drop(node: NodeKey): void {
    const spare = this.#spares.get(node);
    this.#spares.delete(node);
    spare?.then(
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
