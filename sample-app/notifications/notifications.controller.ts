import { Controller } from '@nestjs/common';
import { ClientProxy, Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClusterPubSubContext, InjectClusterPubSubClient } from 'nestjs-cluster-pubsub';
import { clusterOptions } from '../shared/cluster-options.js';
import type { Notification } from '../shared/notification.js';

const prefix = clusterOptions().prefix ?? '';
const limit = 1_000;

// Nest 12 types the handler of @EventPattern('…') without a context; <string> selects the overload with one.
@Controller()
export class NotificationsController {
  private readonly seen: Notification[] = [];

  constructor(@InjectClusterPubSubClient() private readonly client: ClientProxy) {}

  /** The confirmation to the customer: this one event. */
  @EventPattern<string>('order.created')
  confirm(@Payload() order: { id: string }, @Ctx() context: ClusterPubSubContext): void {
    this.note(order, context);
  }

  /** The audit trail: every event about orders, from any publisher in any language. */
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
