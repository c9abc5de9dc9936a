import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { CLUSTER_PUBSUB_TRANSPORT } from '../../../src/index.js';
import { type HybridApp, nestApps } from '../../support/nest-apps.js';
import { outcome } from '../../support/transports.js';
import { eventually } from '../../support/waiting.js';

const SYMBOL = Symbol('orders');
const events: [handler: string, data: unknown][] = [];

@Controller()
class PatternsController {
  @MessagePattern({ cmd: 'get', of: { kind: 'order', version: 2 } })
  object(): string {
    return 'object';
  }

  @MessagePattern(7)
  number(): string {
    return 'number';
  }

  @MessagePattern(['list.first', { cmd: 'list.second' }])
  list(): string {
    return 'list';
  }

  @MessagePattern('ünï/cödé {braced} "quoted" 🚀')
  text(): string {
    return 'text';
  }

  @MessagePattern('own.transport', CLUSTER_PUBSUB_TRANSPORT)
  ours(): string {
    return 'ours';
  }

  @MessagePattern('other.transport', Transport.TCP)
  notOurs(): string {
    return 'not ours';
  }

  @EventPattern({ event: 'object', nested: { a: 1, b: 2 } })
  onObject(@Payload() data: unknown): void {
    events.push(['object', data]);
  }

  @EventPattern(7)
  onNumber(@Payload() data: unknown): void {
    events.push(['number', data]);
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.create({ controllers: [PatternsController] });
  // @MessagePattern takes symbols, but Nest 12 then fails in making a text of them at start-up; a server has no trouble.
  const server = hybrid.servers[0]!;
  server.addHandler(SYMBOL, async () => 'symbol');
  server.addHandler(SYMBOL, async (data: unknown) => void events.push(['symbol', data]), true);
  await hybrid.app.startAllMicroservices();
});

describe('a request finds its handler by', () => {
  it.each([
    ['an object', { cmd: 'get', of: { kind: 'order', version: 2 } }, 'object'],
    ['an object with its keys in another order', { of: { version: 2, kind: 'order' }, cmd: 'get' }, 'object'],
    ['a symbol', SYMBOL, 'symbol'],
    ['another symbol of that name', Symbol('orders'), 'symbol'],
    ['a number', 7, 'number'],
    ['one of several patterns of the handler', 'list.first', 'list'],
    ['another one of them', { cmd: 'list.second' }, 'list'],
    ['a text with everything in it', 'ünï/cödé {braced} "quoted" 🚀', 'text'],
    ['a pattern that is bound to this transport', 'own.transport', 'ours'],
  ])('%s', async (_name, pattern, answer) => {
    expect(await lastValueFrom(hybrid.client.send(pattern, {}))).toBe(answer);
  });
});

describe('a request has no handler', () => {
  it.each([
    ['where an object has a key more', { cmd: 'get', of: { kind: 'order', version: 2 }, more: 1 }],
    ['where the handler is bound to another transport', 'other.transport'],
  ])('%s', async (_name, pattern) => {
    const { error } = await outcome(hybrid.client.send(pattern, {}));
    expect(error).toMatchObject({ code: 'NO_SUBSCRIBERS' });
  });
});

describe('an event finds its handler by', () => {
  it('objects, symbols and numbers as well', async () => {
    hybrid.client.emit({ nested: { b: 2, a: 1 }, event: 'object' }, 1);
    hybrid.client.emit(SYMBOL, 2);
    hybrid.client.emit(7, 3);
    await eventually(() => events.length === 3, 'all three arrive');
    expect(new Map(events)).toEqual(
      new Map([
        ['object', 1],
        ['symbol', 2],
        ['number', 3],
      ]),
    );
  });
});
