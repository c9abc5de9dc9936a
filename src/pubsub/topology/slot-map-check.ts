import type { NodeKey } from '../common/node-address.js';
import type { CommandConnection } from '../connection/command-connection.js';
import type { Reply } from '../resp/reply.js';
import { countRanges, sameSlotMap, type SlotMap } from './slot-map.js';

/** With more ranges of slots than this, `CLUSTER NODES` is compared first. */
const MANY_RANGES = 1_024;

/** Where `ping-sent` and `pong-recv` are in a line of `CLUSTER NODES`: they differ each time. */
const PING_SENT = 4;
const CONFIG_EPOCH = 6;

interface Agreed {
  readonly slotMap: SlotMap;
  readonly nodes: string;
}

/**
 * Finds out whether a node agrees with the known slot map.
 *
 * `CLUSTER SLOTS` repeats the nodes for each range: 2.3 MB and 200,000 values for 16,384 ranges, which cost 6 % of a core
 * when they are read once a second. `CLUSTER NODES` says the same in one string of 100 KB. So while that is what it was
 * when the node last agreed, nothing else is asked for.
 */
export class SlotMapCheck {
  readonly #agreed = new Map<NodeKey, Agreed>();

  async agrees(
    connection: CommandConnection,
    known: SlotMap,
    querySlots: (connection: CommandConnection) => Promise<SlotMap>,
  ): Promise<boolean> {
    const { node } = connection;
    if (countRanges(known) <= MANY_RANGES) {
      return sameSlotMap(known, await querySlots(connection));
    }
    const agreed = this.#agreed.get(node);
    if (agreed?.slotMap === known && agreed.nodes === (await queryNodes(connection))) {
      return true;
    }
    // Redis runs both without anything in between, because they arrive in one read.
    const [nodes, slotMap] = await Promise.all([queryNodes(connection), querySlots(connection)]);
    const isSame = sameSlotMap(known, slotMap);
    this.#agreed.delete(node);
    if (isSame && nodes !== undefined) {
      this.#forgetOthersThan(known);
      this.#agreed.set(node, { slotMap: known, nodes });
    }
    return isSame;
  }

  #forgetOthersThan(known: SlotMap): void {
    for (const [node, { slotMap }] of this.#agreed) {
      if (slotMap !== known) {
        this.#agreed.delete(node);
      }
    }
  }
}

/** What `CLUSTER NODES` says of nodes and slots; undefined where the ACL forbids it. */
async function queryNodes(connection: CommandConnection): Promise<string | undefined> {
  const reply = await connection.call('CLUSTER', 'NODES').catch(() => undefined);
  return reply === undefined ? undefined : lastingPart(reply);
}

/** Without the times of the last pings. */
export function lastingPart(reply: Reply): string | undefined {
  const lines = Buffer.isBuffer(reply) ? reply.toString('latin1').split('\n') : undefined;
  return lines
    ?.map((line) => line.slice(0, fieldAt(line, PING_SENT)) + line.slice(fieldAt(line, CONFIG_EPOCH)))
    .join('\n');
}

/** Where the field begins. A line may have thousands of fields, so it is not split. */
function fieldAt(line: string, field: number): number {
  let at = 0;
  for (let passed = 0; passed < field; passed += 1) {
    at = line.indexOf(' ', at) + 1;
  }
  return at;
}
