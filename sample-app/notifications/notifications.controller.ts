import { Controller } from '@nestjs/common';
import { ClientProxy, Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClusterPubSubContext, InjectClusterPubSubClient } from 'nestjs-cluster-pubsub';
import { clusterOptions } from '../shared/cluster-options.js';
import type { Notification } from '../shared/notification.js';

const prefix = clusterOptions().prefix ?? '';
const limit = 1_000;

// Nest 12 types the handler of @EventPattern<string>('…') as one without a context; <string> picks its general form.
@Controller()
export class NotificationsController {
  private readonly seen: Notification[] = [];

  constructor(@InjectClusterPubSubClient() private readonly client: ClientProxy) {}

  /** The confirmation that a customer gets: of this one event. */
  @EventPattern<string>('order.created')
  confirm(@Payload() order: { id: string }, @Ctx() context: ClusterPubSubContext): void {
    this.note(order, context);
  }

  /** The audit trail: of every event about orders, whoever publishes it, in whatever language. */
  @EventPattern<string>('order.*')
  audit(@Payload() order: { id: string }, @Ctx() context: ClusterPubSubContext): void {
    this.note(order, context);
  }

  @MessagePattern('notifications.list')
  list(): Notification[] {
    return this.seen;
  }

  private note({ id }: { id: string }, context: ClusterPubSubContext): void {
    const notification = {
      pattern: context.getPattern(),
      event: context.getChannel().slice(prefix.length),
      orderId: id,
    };
    this.seen.push(notification);
    if (this.seen.length > limit) this.seen.shift();
    this.client.emit('notification.sent', notification);
  }
}
