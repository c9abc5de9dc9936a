/** The address of a local server. Works as a startup node of ioredis. */
export interface LocalNode {
  readonly host: string;
  readonly port: number;
}

/** A node, or just its port. */
export type NodeReference = Pick<LocalNode, 'port'>;

/** Servers listen on this address only, so that other machines cannot reach them. */
export const loopback = '127.0.0.1';

export function addressOf(node: NodeReference): string {
  return `${loopback}:${node.port}`;
}
