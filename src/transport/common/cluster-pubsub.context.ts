import { BaseRpcContext } from '@nestjs/microservices';
import { clientIdOf } from './client-id.js';

export type HandledType = 'request' | 'event';

type ClusterPubSubContextArgs = [
  channel: string,
  pattern: string,
  node: string,
  headers: Readonly<Record<string, string>> | undefined,
  message: unknown,
];

/**
 * The context of a message, for its handler.
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
   * The type of the handler. The packet does not tell it: events of other programs may have an id.
   *
   * @internal
   */
  handledAs: HandledType = 'event';

  /**
   * The reply inbox of the requester.
   *
   * @internal
   */
  replyTo: string | undefined = undefined;

  /** The channel as named on the cluster, with the prefix. */
  getChannel(): string {
    return this.args[0];
  }

  /** The pattern of the handler as Nest normalizes it: of a wildcard handler the wildcard, not the channel that matched. */
  getPattern(): string {
    return this.args[1];
  }

  /** The node that delivered the message, as `host:port`. */
  getNode(): string {
    return this.args[2];
  }

  /** The headers of the sender's record; empty if none. */
  getHeaders(): Readonly<Record<string, string>> {
    return this.args[3] ?? {};
  }

  /**
   * The client that sent the request: ten random characters, the same for all requests of a `ClusterPubSubClient` from
   * `connect()` to `close()`, and of no other. The id of each request (`getMessage().id`) begins with it. Undefined for
   * events, and for requests of stock Nest clients.
   *
   * It tells clients apart; it does not authenticate them: whoever may publish to the channel can claim any.
   */
  getRequester(): string | undefined {
    return this.replyTo === undefined ? undefined : clientIdOf(this.replyTo);
  }

  /** The packet as the deserializer returned it: pattern, data, and the id of a request, which no other request has. */
  getMessage(): unknown {
    return this.args[4];
  }

  /** The value that the sender's dispatch hook assigned to `packet.metadata` (Nest 12). */
  getMetadata(): Record<string, string> | undefined {
    return (this.args[4] as { metadata?: Record<string, string> } | null | undefined)?.metadata;
  }
}
