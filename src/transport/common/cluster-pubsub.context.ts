import { BaseRpcContext } from '@nestjs/microservices';

export type HandledType = 'request' | 'event';

type ClusterPubSubContextArgs = [
  channel: string,
  pattern: string,
  node: string,
  headers: Readonly<Record<string, string>> | undefined,
  message: unknown,
];

/**
 * What a handler can ask about the message it handles.
 *
 * ```ts
 * @EventPattern('order.*')
 * onOrder(@Payload() order: Order, @Ctx() context: ClusterPubSubContext) {
 *   context.getChannel(); // 'order.created'
 * }
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubContext extends BaseRpcContext<ClusterPubSubContextArgs> {
  /**
   * Which handler gets it. The packet does not say: events of foreign programs may have an id.
   *
   * @internal
   */
  handledAs: HandledType = 'event';

  /** The channel, with its prefix, as it is named on the cluster. */
  getChannel(): string {
    return this.args[0];
  }

  /** The pattern of the handler, as Nest normalizes it: for a wildcard handler the wildcard, not what matched it. */
  getPattern(): string {
    return this.args[1];
  }

  /** The node that the message came from, as `host:port`. */
  getNode(): string {
    return this.args[2];
  }

  /** The headers that the sender's record had; empty if none. */
  getHeaders(): Readonly<Record<string, string>> {
    return this.args[3] ?? {};
  }

  /** The packet as the deserializer gave it: pattern, data, and id where it is a request. */
  getMessage(): unknown {
    return this.args[4];
  }

  /** What the sender's dispatch hook assigned to `packet.metadata` (Nest 12). */
  getMetadata(): Record<string, string> | undefined {
    return (this.args[4] as { metadata?: Record<string, string> } | null | undefined)?.metadata;
  }
}
