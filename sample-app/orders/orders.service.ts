import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { NewOrder, Order } from '../shared/order.js';

/** Orders in memory: a restart of the service loses them. */
@Injectable()
export class OrdersService {
  private readonly orders = new Map<string, Order>();

  place({ item, quantity }: Partial<NewOrder>): Order {
    if (typeof item !== 'string' || item === '' || !Number.isInteger(quantity) || Number(quantity) < 1) {
      throw new RpcException({
        status: 400,
        message: 'An order needs an item and a whole quantity of at least 1.',
      });
    }
    const order = { id: randomUUID().slice(0, 8), item, quantity: Number(quantity) };
    this.orders.set(order.id, order);
    return order;
  }

  find(id: string): Order {
    const order = this.orders.get(id);
    if (order === undefined) throw new RpcException({ status: 404, message: `Order ${id} does not exist.` });
    return order;
  }
}
