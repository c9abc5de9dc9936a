import { Body, Controller, Get, type MessageEvent, Param, Post, Sse } from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { InjectClusterPubSubClient } from 'nestjs-cluster-pubsub';
import { firstValueFrom, map, type Observable } from 'rxjs';
import type { NewOrder, Order, Progress } from '../shared/order.js';

@Controller('orders')
export class OrdersController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClientProxy) {}

  @Post()
  create(@Body() wish: NewOrder): Observable<Order> {
    return this.client.send<Order>('order.create', wish);
  }

  @Get(':id')
  get(@Param('id') id: string): Observable<Order> {
    return this.client.send<Order>({ cmd: 'order.get' }, id);
  }

  /** A streamed response, passed on value by value as server-sent events. */
  @Sse(':id/progress')
  async progress(@Param('id') id: string): Promise<Observable<MessageEvent>> {
    // The status of a stream that has begun is 200, so a missing order must be detected before.
    await firstValueFrom(this.get(id));
    return this.client.send<Progress>('order.progress', id).pipe(map((data) => ({ data })));
  }

  /** There is no invoice service yet: shows the error of a request without a server. */
  @Get(':id/invoice')
  invoice(@Param('id') id: string): Observable<unknown> {
    return this.client.send('invoice.get', id);
  }
}
