import { Controller } from '@nestjs/common';
import { ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import { InjectClusterPubSubClient } from 'nestjs-cluster-pubsub';
import { interval, map, take, type Observable } from 'rxjs';
import { steps, type NewOrder, type Order, type Progress } from '../shared/order.js';
import { OrdersService } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    @InjectClusterPubSubClient() private readonly client: ClientProxy,
  ) {}

  @MessagePattern('order.create')
  create(@Payload() wish: NewOrder): Order {
    const order = this.orders.place(wish);
    this.client.emit('order.created', order);
    // A real shop would wait for the bank here.
    this.client.emit('order.paid', order);
    return order;
  }

  @MessagePattern({ cmd: 'order.get' })
  get(@Payload() id: string): Order {
    return this.orders.find(id);
  }

  /** A streamed response. When the caller unsubscribes, the Observable is unsubscribed here. */
  @MessagePattern('order.progress')
  progress(@Payload() id: string): Observable<Progress> {
    const order = this.orders.find(id);
    return interval(100).pipe(
      take(steps.length),
      map((index) => ({ id: order.id, step: steps[index]! })),
    );
  }
}
