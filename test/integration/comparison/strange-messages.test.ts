// README, "Compared with Transport.REDIS": an unreadable message · a foreign message on a message handler's channel.
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, IncomingRequestDeserializer, MessagePattern, Payload } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { eventually, Signal } from '../../support/waiting.js';
import { Sides, unique } from './sides.js';

const sides = new Sides();
let handled: unknown[] = [];
beforeEach(() => {
  handled = [];
  sides.logged.length = 0;
});
afterAll(() => sides.close());

describe('a message that cannot be read', () => {
  const pattern = unique('orders');
  let reached: Signal;

  @Controller()
  class OrderController {
    @EventPattern<string>(pattern)
    order(@Payload() data: unknown): void {
      handled.push(data);
      reached.resolve();
    }
  }

  /** Reads orders, and nothing else. */
  class StrictDeserializer extends IncomingRequestDeserializer {
    override deserialize(...args: Parameters<IncomingRequestDeserializer['deserialize']>) {
      const packet = super.deserialize(...args) as { data: { item?: string } };
      if (packet.data.item === undefined) throw new Error(`Not an order: ${JSON.stringify(packet.data)}`);
      return packet as never;
    }
  }

  /** Two messages that the deserializer refuses, then one that it takes; one connection's messages keep their order. */
  async function publishTo(redis: Redis, channel: string): Promise<void> {
    reached = new Signal();
    for (const data of [{ secret: 'a' }, { secret: 'b' }, { item: 'tea' }]) {
      await redis.publish(channel, JSON.stringify({ pattern, data }));
    }
    await reached.promise;
    expect(handled).toEqual([{ item: 'tea' }]);
  }

  it('is logged each time, content and all, with Transport.REDIS', async () => {
    await sides.stockServer(OrderController, { deserializer: new StrictDeserializer() });
    await publishTo(sides.redis(), pattern);
    expect(sides.logged).toEqual([
      'Error: Not an order: {"secret":"a"}',
      'Error: Not an order: {"secret":"b"}',
    ]);
  });

  it('is logged once without its content, counted and dropped with ours', async () => {
    const server = await sides.ourServer(OrderController, { deserializer: new StrictDeserializer() });
    await publishTo(sides.redis(), sides.ourChannel(pattern));
    expect(server.malformed).toBe(2);
    expect(sides.logged).toHaveLength(1);
    expect(sides.logged[0]).toContain(sides.ourChannel(pattern));
    expect(sides.logged[0]).not.toContain('secret');
  });
});

describe('a foreign message on the channel of a message handler', () => {
  const pattern = unique('price');
  let reached: Signal;

  @Controller()
  class PriceController {
    @MessagePattern(pattern)
    price(@Payload() data: unknown): number {
      handled.push(data);
      reached.resolve();
      return 7;
    }

    @EventPattern<string>(`${pattern}.end`)
    end(): void {
      reached.resolve();
    }
  }

  it('runs the handler, whose reply is lost, with Transport.REDIS', async () => {
    await sides.stockServer(PriceController);
    reached = new Signal();
    await sides.redis().publish(pattern, 'no packet');
    await reached.promise;
    expect(handled).toEqual(['no packet']);
  });

  it('is logged once without its content, counted and dropped with ours', async () => {
    const server = await sides.ourServer(PriceController);
    reached = new Signal();
    const redis = sides.redis();
    await redis.publish(sides.ourChannel(pattern), 'no packet');
    await redis.publish(sides.ourChannel(pattern), 'no packet');
    // Another channel may come by another node, and overtake them: the count tells when both have arrived.
    await eventually(() => server.malformed === 2, 'both are counted');
    await redis.publish(sides.ourChannel(`${pattern}.end`), '1');
    await reached.promise;
    expect(handled).toEqual([]);
    expect(server.malformed).toBe(2);
    expect(sides.logged).toEqual([expect.stringContaining(pattern)]);
    expect(sides.logged[0]).not.toContain('no packet');
  });
});
