/** Where a server of a local cluster listens. Works as a startup node of ioredis. */
export interface LocalNode {
  readonly host: string;
  readonly port: number;
}

/** What the fault handles take: a node, or just its port. */
export type NodeReference = Pick<LocalNode, 'port'>;

/** Every server listens here alone: nothing outside this machine can reach it. */
export const loopback = '127.0.0.1';

export function addressOf(node: NodeReference): string {
  return `${loopback}:${node.port}`;
}
