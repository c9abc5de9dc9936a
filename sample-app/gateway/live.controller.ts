import { Controller, Get, Header, type MessageEvent, Sse } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { Subject, type Observable } from 'rxjs';
import type { Notification } from '../shared/notification.js';
import type { Order } from '../shared/order.js';
import { livePage } from './live-page.js';

/** The page at `/`, and the events that it shows as they arrive. */
@Controller()
export class LiveController {
  private readonly events = new Subject<MessageEvent>();

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return livePage;
  }

  @Sse('live')
  live(): Observable<MessageEvent> {
    return this.events;
  }

  @EventPattern('order.created')
  order(@Payload() data: Order): void {
    this.events.next({ type: 'order', data });
  }

  @EventPattern('notification.sent')
  notification(@Payload() data: Notification): void {
    this.events.next({ type: 'notification', data });
  }
}
