import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestMicroservice, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, RpcException } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { outcome, transports } from '../../support/transports.js';
import { eventually } from '../../support/waiting.js';

const harness = transports();
const lines: string[] = [];
const keep = (...parts: unknown[]): void => void lines.push(parts.map(String).join(' '));

beforeEach(() => {
  lines.length = 0;
  Logger.overrideLogger({ log: () => undefined, warn: keep, error: keep });
});

const about = (route: string): string[] => lines.filter((line) => line.includes(`("${route}")`));

function circular(): object {
  const error: Record<string, unknown> = { status: 'error', message: 'goes round' };
  error.self = error;
  return error;
}

const unreadable = {
  get message(): string {
    throw new Error('not to be read');
  },
};

describe('an error that JSON cannot hold', () => {
  it.each([
    ['a circle', circular()],
    ['a bigint', { id: 10n }],
    ['a getter that throws', unreadable],
    ['nothing at all', undefined],
  ])('is logged, and the event is over: %s', async (_what, error) => {
    const server = await harness.server({
      'event:told': () => {
        throw error as Error;
      },
    });
    await lastValueFrom(harness.client().emit('told', 1));
    await eventually(() => about('told').length === 1, 'it is logged');
    expect(server.metrics()).toMatchObject({ events: 1, failed: 1, running: 0 });
  });

  it.each([
    ['a circle', circular()],
    ['a bigint', { id: 10n }],
    ['a getter that throws', unreadable],
  ])('does not leave the asker without an answer: %s', async (_what, error) => {
    const server = await harness.server({
      ask: () => {
        throw error as Error;
      },
    });
    const { error: told } = await outcome(harness.client().send('ask', 1));
    expect(told).toEqual({ status: 'error', message: 'Internal server error' });
    expect(about('ask')).toEqual([expect.stringContaining('Handler failed')]);
    await eventually(() => server.metrics().running === 0, 'it is over');
  });
});

describe('an RpcException of a Nest application', () => {
  const card = '4111-1111-1111-1111';
  let app: INestMicroservice;

  @Controller()
  class Payments {
    @EventPattern<string>('payment.declined')
    declined(): void {
      throw new RpcException({ code: 402, card });
    }

    @EventPattern<string>('payment.huge')
    huge(): void {
      throw new RpcException({ id: 10n });
    }

    @EventPattern<string>('payment.late')
    late(): void {
      throw new RpcException('too late');
    }

    @MessagePattern('payment.ask')
    ask(): void {
      throw new RpcException({ id: 10n });
    }
  }

  @Module({ controllers: [Payments] })
  class PaymentsModule {}

  beforeEach(async () => {
    const strategy = harness.newServer();
    app = await NestFactory.createMicroservice(PaymentsModule, { strategy, logger: false });
    Logger.overrideLogger({ log: () => undefined, warn: keep, error: keep });
    await app.listen();
  });

  afterEach(() => app.close());

  it('is logged by its text, and with nothing else of what it holds', async () => {
    const client = harness.client();
    for (const name of ['declined', 'huge', 'late']) await lastValueFrom(client.emit(`payment.${name}`, 1));
    await eventually(() => lines.length === 3, 'all three are logged');
    expect(lines.join()).not.toContain(card);
    expect(about('payment.declined')).toEqual([expect.stringContaining('an error of the class Object')]);
    expect(about('payment.late')).toEqual([expect.stringContaining('too late')]);
  });

  it('that JSON cannot hold is an error to the requester all the same', async () => {
    const { error } = await outcome(harness.client().send('payment.ask', 1));
    expect(error).toEqual({ status: 'error', message: 'Internal server error' });
  });
});

describe('handlers that fail over and over', () => {
  it('are a line each in ten seconds, whatever codes their errors have', async () => {
    let count = 0;
    const server = await harness.server({
      'event:numbered': () => {
        throw Object.assign(new Error('no order'), { code: `ORDER_${String((count += 1))}` });
      },
      'event:plain': () => {
        throw new Error('no order');
      },
    });
    const client = harness.client();
    for (let n = 0; n < 50; n += 1) {
      await lastValueFrom(client.emit('numbered', n));
      await lastValueFrom(client.emit('plain', n));
    }
    await eventually(() => server.metrics().failed === 100, 'all have failed');
    expect([about('numbered').length, about('plain').length]).toEqual([1, 1]);
  });

  it('do not hide one another by the same code', async () => {
    const broken = (what: string) => () => {
      throw Object.assign(new Error(`${what} is down`), { code: 'ECONNREFUSED' });
    };
    await harness.server({ 'event:store': broken('database'), 'event:mail': broken('mailer') });
    const client = harness.client();
    await lastValueFrom(client.emit('store', 1));
    await lastValueFrom(client.emit('mail', 1));
    await eventually(() => lines.length === 2, 'both are logged');
    expect(about('store')).toEqual([expect.stringContaining('database is down (ECONNREFUSED)')]);
    expect(about('mail')).toEqual([expect.stringContaining('mailer is down (ECONNREFUSED)')]);
  });
});
