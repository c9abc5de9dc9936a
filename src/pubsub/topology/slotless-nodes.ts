import type { NatMap } from 'ioredis';
import type { CommandConnection } from '../connection/command-connection.js';
import { ClusterUnreachableError } from '../common/errors.js';
import { hedge } from '../../util/hedged-attempts.js';
import { nodeKey, parseNodeKey, type NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import type { Topology } from './topology.js';
import { mapAddress } from './slot-map.js';
import { NODE_REPLY_TIMEOUT_MS } from './topology-fetcher.js';

/** A node of the cluster that serves no slot: `CLUSTER SLOTS` does not list it, and yet it may have subscribers. */
export interface SlotlessNode {
  readonly node: NodeKey;
  readonly role: 'master' | 'replica';
  /** Flagged `fail` by the cluster: messages published on other nodes do not reach it. */
  readonly failed: boolean;
}

/** Finds masters without slots, and nodes flagged `fail`: the nodes that the slot map does not show. */
export class SlotlessNodes {
  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly natMap: NatMap | undefined,
  ) {}

  /** Queries one node, whichever replies first. Empty where the ACL forbids the query or no node replies; never rejects. */
  async find(): Promise<readonly SlotlessNode[]> {
    const { topology, connections } = this;
    const all = [...topology.masters, ...topology.replicas];
    const open = all.filter((node) => connections.get(node) !== undefined);
    try {
      const [queried, reply] = await hedge(
        [...new Set([...open, ...all])],
        async (node): Promise<[NodeKey, Reply]> => [node, await this.#fetch(node)],
        NODE_REPLY_TIMEOUT_MS,
        () => new Error('no node replied'),
      );
      return readClusterNodes(reply, queried, this.natMap, (node) => topology.knows(node));
    } catch {
      return [];
    }
  }

  /**
   * Runs `command` on a node that {@link find} has found. A failed node is not contacted, so that it delays no
   * query.
   *
   * @throws {@link ClusterUnreachableError} for a failed node
   */
  async run<T>(
    { node, failed }: SlotlessNode,
    command: (connection: CommandConnection) => Promise<T>,
  ): Promise<T> {
    if (failed) {
      throw new ClusterUnreachableError('flagged "fail" by the cluster');
    }
    return command(await this.connections.connect(node));
  }

  async #fetch(node: NodeKey): Promise<Reply> {
    const connection = await this.connections.connect(node);
    try {
      return await connection.call('CLUSTER', 'NODES');
    } catch (error) {
      if (error instanceof RedisReplyError) {
        return null; // the other nodes would refuse it as well
      }
      throw error;
    }
  }
}

/**
 * Reads the nodes that are not known yet from the reply to `CLUSTER NODES`: a line each,
 * `<id> <ip:port@bus-port[,hostname]> <flags> <master> …`.
 *
 * The reply has both address and host name where `CLUSTER SLOTS` has the preferred one. The line of the queried node,
 * whose address is known, shows which one that is.
 */
export function readClusterNodes(
  reply: Reply,
  queried: NodeKey,
  natMap: NatMap | undefined,
  isKnown: (node: NodeKey) => boolean,
): SlotlessNode[] {
  const text = Buffer.isBuffer(reply) ? reply.toString('utf8') : '';
  const lines = text.split('\n').flatMap((line) => readLine(line) ?? []);
  const { host: queriedHost } = parseNodeKey(queried);
  // A node that has not met another one yet does not know its own address.
  const byAddress = ({ ip, port }: Line): NodeKey =>
    mapAddress(nodeKey({ host: ip || queriedHost, port }), natMap);
  const byName = ({ name, port }: Line): NodeKey | undefined =>
    name === undefined ? undefined : mapAddress(nodeKey({ host: name, port }), natMap);
  const own = lines.find(({ flags }) => flags.has('myself'));
  const keyOf = (line: Line): NodeKey => {
    if (own !== undefined && byName(own) === queried) {
      return byName(line) ?? byAddress(line);
    }
    // Where Redis announces no endpoint, the node is at the host that was queried.
    const isAnnounced = own === undefined || byAddress(own) === queried;
    return isAnnounced ? byAddress(line) : nodeKey({ host: queriedHost, port: line.port });
  };
  return lines
    .filter(({ flags }) => !flags.has('noaddr') && !flags.has('handshake'))
    .map((line) => ({ line, node: keyOf(line) }))
    .filter(({ line, node }) => ![node, byName(line), byAddress(line)].some((one) => one && isKnown(one)))
    .map(({ line: { flags }, node }) => ({
      node,
      role: flags.has('master') ? 'master' : 'replica',
      failed: flags.has('fail'),
    }));
}

interface Line {
  readonly ip: string;
  readonly port: number;
  readonly name: string | undefined;
  readonly flags: ReadonlySet<string>;
}

function readLine(line: string): Line | undefined {
  const [, address = '', flags = ''] = line.split(' ');
  const [, ip = '', port, name] = /^([^,]*):(\d+)(?:@\d+)?(?:,([^,]*))?/.exec(address) ?? [];
  if (port === undefined || port === '0') {
    return undefined;
  }
  return {
    ip,
    port: Number(port),
    name: name === '' ? undefined : name,
    flags: new Set(flags.split(',')),
  };
}
