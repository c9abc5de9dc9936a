// README, "Compared with Transport.REDIS": a message and an event handler on one pattern · a wildcard request handler · unsubscribing from
// a streamed response · a Buffer · messages without a handler.
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { interval, lastValueFrom, Observable, Subject, take, takeUntil, toArray } from 'rxjs';
import { eventually, Signal } from '../../support/waiting.js';
import { type Asker, Sides, unique } from './sides.js';

const sides = new Sides();
afterAll(() => sides.close());

describe('a message and an event handler on one pattern', () => {
  const pattern = unique('both');
  let calls: string[] = [];

  class BothController {
    event(data: string): void {
      calls.push(`event handler: ${data}`);
    }

    message(data: string): string {
      calls.push(`message handler: ${data}`);
      return data;
    }
  }

  @Controller()
  class EventFirstController extends BothController {
    @EventPattern<string>(pattern)
    override event(@Payload() data: string): void {
      super.event(data);
    }

    @MessagePattern(pattern)
    override message(@Payload() data: string): string {
      return super.message(data);
    }
  }

  @Controller()
  class MessageFirstController extends BothController {
    @MessagePattern(pattern)
    override message(@Payload() data: string): string {
      return super.message(data);
    }

    @EventPattern<string>(pattern)
    override event(@Payload() data: string): void {
      super.event(data);
    }
  }

  async function callsOf(client: Asker): Promise<string[]> {
    calls = [];
    await lastValueFrom(client.emit(pattern, 'event'), { defaultValue: undefined });
    await lastValueFrom(client.send(pattern, 'request'));
    await eventually(() => calls.length === 2, 'both have been handled');
    return calls.sort();
  }

  describe.each([
    ['with the event handler first', EventFirstController],
    ['with the message handler first', MessageFirstController],
  ])('%s', (_, controller) => {
    afterEach(() => sides.close());

    it('means that the event handler is lost, and the message handler gets its events, with Transport.REDIS', async () => {
      await sides.stockServer(controller);
      expect(await callsOf(await sides.stockClient())).toEqual([
        'message handler: event',
        'message handler: request',
      ]);
    });

    it('both work with ours', async () => {
      await sides.ourServer(controller);
      expect(await callsOf(await sides.ourClient())).toEqual([
        'event handler: event',
        'message handler: request',
      ]);
    });
  });
});

describe('a wildcard request handler', () => {
  const namespace = unique('wild');
  const seen = new Subject<unknown>();
  let data: unknown[] = [];
  seen.subscribe((value) => data.push(value));

  @Controller()
  class WildcardController {
    @MessagePattern(`${namespace}.*`)
    answer(@Payload() value: unknown): string {
      seen.next(value);
      return 'answered';
    }
  }

  it('runs again on its own reply channel with Transport.REDIS', async () => {
    data = [];
    await sides.stockServer(WildcardController, { wildcards: true });
    const client = await sides.stockClient();
    expect(await lastValueFrom(client.send(`${namespace}.one`, 'asked'))).toBe('answered');
    await eventually(() => data.length === 2, 'the handler has run again');
    expect(data).toEqual(['asked', expect.objectContaining({ response: 'answered' })]);
  });

  it('runs once with ours', async () => {
    data = [];
    await sides.ourServer(WildcardController);
    const client = await sides.ourClient();
    expect(await lastValueFrom(client.send(`${namespace}.one`, 'asked'))).toBe('answered');
    // What the first reply could have set off comes before the second is answered.
    expect(await lastValueFrom(client.send(`${namespace}.two`, 'asked again'))).toBe('answered');
    expect(data).toEqual(['asked', 'asked again']);
  });
});

describe('unsubscribing from a leaves', () => {
  const pattern = unique('ticks');
  const over = new Subject<void>();
  let produced = 0;
  let stopped: Signal;

  @Controller()
  class TickController {
    @MessagePattern(pattern)
    ticks(): Observable<number> {
      return new Observable<number>((subscriber) => {
        const source = interval(5).pipe(takeUntil(over));
        const subscription = source.subscribe((tick) => {
          produced++;
          subscriber.next(tick);
        });
        return () => {
          subscription.unsubscribe();
          stopped.resolve();
        };
      });
    }
  }

  async function takeThree(client: Asker): Promise<void> {
    [produced, stopped] = [0, new Signal()];
    expect(await lastValueFrom(client.send(pattern, 1).pipe(take(3), toArray()))).toEqual([0, 1, 2]);
  }

  it('goes on at the server with Transport.REDIS', async () => {
    await sides.stockServer(TickController);
    await takeThree(await sides.stockClient());
    await eventually(() => produced > 50, 'the handler produces what nobody takes');
    over.next();
  });

  it('is stopped with ours', async () => {
    await sides.ourServer(TickController);
    await takeThree(await sides.ourClient());
    await stopped.promise;
  });
});

describe('a Buffer', () => {
  const pattern = unique('bytes');
  const bytes = Buffer.from([0, 1, 127, 128, 255]);
  let received: unknown;

  @Controller()
  class BytesController {
    @MessagePattern(pattern)
    bytes(@Payload() data: unknown): Buffer {
      received = data;
      return bytes;
    }
  }

  it('becomes an object both ways with Transport.REDIS', async () => {
    await sides.stockServer(BytesController);
    const client = await sides.stockClient();
    const asJson = { type: 'Buffer', data: [...bytes] };
    expect(await lastValueFrom(client.send(pattern, bytes))).toEqual(asJson);
    expect(received).toEqual(asJson);
  });

  it('stays a Buffer both ways with ours', async () => {
    await sides.ourServer(BytesController);
    const client = await sides.ourClient();
    const answer: unknown = await lastValueFrom(client.send(pattern, bytes));
    expect(Buffer.isBuffer(answer) && bytes.equals(answer)).toBe(true);
    expect(Buffer.isBuffer(received) && bytes.equals(received)).toBe(true);
  });
});
