import type { NatMap } from 'ioredis';
import type { CommandConnection } from '../connection/command-connection.js';
import { Deadline } from '../../util/deadline.js';
import { AuthenticationError, ClusterUnreachableError } from '../common/errors.js';
import { hedge } from '../../util/hedged-attempts.js';
import { nodeKey, parseNodeKey, type NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import type { Topology } from './topology.js';
import { mapAddress } from './slot-map.js';
import { NODE_REPLY_TIMEOUT_MS } from './topology-fetcher.js';

/**
 * How long one that the cluster has given up may take to say that it is there all the same, in ms: who asks is not to wait
 * for the dead each time.
 */
const LAST_CHANCE = 200;

/** How long one that has let it pass is taken to be silent still, in ms, while the cluster says that it has failed. */
const SILENT_FOR = 5_000;

/** A node of the cluster that serves no slot: `CLUSTER SLOTS` leaves it out, and yet it may have subscribers. */
export interface SlotlessNode {
  /** Redis's own name for it: somebody else may have its address by now. */
  readonly id: string;
  readonly node: NodeKey;
  readonly role: 'master' | 'replica';
  /** The cluster has given it up (flag `fail`). */
  readonly failed: boolean;
}

/** Finds masters without slots, and nodes that the cluster has given up: what the view of slots does not show. */
export class SlotlessNodes {
  /** By id: given up, and without a word when last asked. Who is refused at once may try each time. */
  readonly #silent = new Map<string, { readonly until: Deadline; readonly error: Error }>();

  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly natMap: NatMap | undefined,
  ) {}

  /** Asks one node, whichever answers first. Empty where the ACL forbids the question, or nobody answers; never rejects. */
  async find(): Promise<readonly SlotlessNode[]> {
    const { topology, connections } = this;
    const all = [...topology.masters, ...topology.replicas];
    const open = all.filter((node) => connections.get(node) !== undefined);
    try {
      const [asked, reply] = await hedge(
        [...new Set([...open, ...all])],
        async (node): Promise<[NodeKey, Reply]> => [node, await this.#askForNodes(node)],
        NODE_REPLY_TIMEOUT_MS,
        () => new Error('no node has answered'),
      );
      const found = readClusterNodes(reply, asked, this.natMap, (node) => topology.knows(node));
      this.#forgive(found);
      return found;
    } catch {
      return [];
    }
  }

  /**
   * What `question` finds out at one that was found.
   *
   * @throws {@link ClusterUnreachableError} where it is not there: nobody answers at its address, or another Redis does. One
   * that is given up and hangs is asked again after {@link SILENT_FOR} ms, or when it is given up no more
   */
  async ask<T>(other: SlotlessNode, question: (connection: CommandConnection) => Promise<T>): Promise<T> {
    if (!other.failed) {
      return this.#visit(other, question);
    }
    const silent = this.#silent.get(other.id);
    if (silent !== undefined && silent.until.left > 0) {
      throw silent.error;
    }
    return new Deadline(LAST_CHANCE).or(this.#visit(other, question), (ms) => {
      const error = new ClusterUnreachableError(`it did not answer within ${ms} ms`);
      this.#silent.set(other.id, { until: new Deadline(SILENT_FOR), error });
      return error;
    });
  }

  /** One that the cluster has found to be back, or has forgotten, is silent no more. */
  #forgive(found: readonly SlotlessNode[]): void {
    for (const id of this.#silent.keys()) {
      if (!found.some((other) => other.failed && other.id === id)) {
        this.#silent.delete(id);
      }
    }
  }

  /** One round trip. */
  async #visit<T>(other: SlotlessNode, question: (connection: CommandConnection) => Promise<T>): Promise<T> {
    const connection = await this.connections.connect(other.node).catch((error: unknown) => {
      throw error instanceof AuthenticationError ? locked(other, error) : error;
    });
    const id = connection.call('CLUSTER', 'MYID');
    const answer = question(connection);
    answer.catch(() => undefined); // of no interest where it is a stranger's
    await id.then(
      (reply) => {
        if (String(reply) !== other.id) {
          throw new ClusterUnreachableError(STRANGER);
        }
      },
      (error: unknown) => {
        throwUnlessBelieved(other, error);
      },
    );
    return answer;
  }

  async #askForNodes(node: NodeKey): Promise<Reply> {
    const connection = await this.connections.connect(node);
    try {
      return await connection.call('CLUSTER', 'NODES');
    } catch (error) {
      if (error instanceof RedisReplyError) {
        return null; // the others would refuse it as well
      }
      throw error;
    }
  }
}

/** Addresses are given anew, those of containers every day. */
const STRANGER = 'another Redis has its address';

/** Of one that the cluster has given up it is no news that its address wants another password. */
function locked({ failed }: SlotlessNode, cause: AuthenticationError): ClusterUnreachableError {
  const reason = failed ? 'what answers at its address refuses us' : cause.message;
  return new ClusterUnreachableError(reason, { cause });
}

/** Where the ACL forbids the question who it is, the cluster's word counts, which knows of its own nodes only. */
function throwUnlessBelieved({ failed }: SlotlessNode, error: unknown): void {
  if (!(error instanceof RedisReplyError)) {
    throw error;
  }
  if (failed || error.kind !== 'NOPERM') {
    const isStandalone = /cluster support disabled/i.test(error.message);
    throw new ClusterUnreachableError(isStandalone ? STRANGER : `CLUSTER MYID: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Reads those whom we do not know from the answer to `CLUSTER NODES`: a line each,
 * `<id> <ip:port@bus-port[,hostname]> <flags> <master> …`.
 *
 * It gives addresses and host names side by side where `CLUSTER SLOTS` gives the one that is preferred. The line of the
 * node that was asked, whose address we know, shows which that is.
 */
export function readClusterNodes(
  reply: Reply,
  asked: NodeKey,
  natMap: NatMap | undefined,
  knows: (node: NodeKey) => boolean,
): SlotlessNode[] {
  const text = Buffer.isBuffer(reply) ? reply.toString('utf8') : '';
  const lines = text.split('\n').flatMap((line) => readLine(line) ?? []);
  const askedHost = parseNodeKey(asked).host;
  // A node that has not met another one yet does not know its own address.
  const byAddress = ({ ip, port }: Line): NodeKey =>
    mapAddress(nodeKey({ host: ip || askedHost, port }), natMap);
  const byName = ({ name, port }: Line): NodeKey | undefined =>
    name === undefined ? undefined : mapAddress(nodeKey({ host: name, port }), natMap);
  const own = lines.find(({ flags }) => flags.has('myself'));
  const keyOf = (line: Line): NodeKey => {
    if (own !== undefined && byName(own) === asked) {
      return byName(line) ?? byAddress(line);
    }
    // Where Redis tells no endpoint, it is the host that was asked.
    const isTold = own === undefined || byAddress(own) === asked;
    return isTold ? byAddress(line) : nodeKey({ host: askedHost, port: line.port });
  };
  return lines
    .filter(({ flags }) => !flags.has('noaddr') && !flags.has('handshake'))
    .map((line) => ({ line, node: keyOf(line) }))
    .filter(({ line, node }) => ![node, byName(line), byAddress(line)].some((one) => one && knows(one)))
    .map(({ line: { id, flags }, node }) => ({
      id,
      node,
      role: flags.has('master') ? 'master' : 'replica',
      failed: flags.has('fail'),
    }));
}

interface Line {
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly name: string | undefined;
  readonly flags: ReadonlySet<string>;
}

function readLine(line: string): Line | undefined {
  const [id = '', address = '', flags = ''] = line.split(' ');
  const [, ip = '', port, name] = /^([^,]*):(\d+)(?:@\d+)?(?:,([^,]*))?/.exec(address) ?? [];
  if (port === undefined || port === '0') {
    return undefined;
  }
  return {
    id,
    ip,
    port: Number(port),
    name: name === '' ? undefined : name,
    flags: new Set(flags.split(',')),
  };
}
