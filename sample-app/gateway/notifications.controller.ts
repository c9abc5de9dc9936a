import { Controller, Get } from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { InjectClusterPubSubClient } from 'nestjs-cluster-pubsub';
import type { Observable } from 'rxjs';
import type { Notification } from '../shared/notification.js';

@Controller('notifications')
export class NotificationsController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClientProxy) {}

  @Get()
  list(): Observable<Notification[]> {
    return this.client.send<Notification[]>('notifications.list', {});
  }
}
