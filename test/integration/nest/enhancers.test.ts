import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { concat, from, lastValueFrom, map, type Observable, throwError } from 'rxjs';
import { type ClusterPubSubContext, ClusterPubSubRecordBuilder } from '../../../src/index.js';
import { type HybridApp, nestApps } from '../../support/nest-apps.js';
import { outcome } from '../../support/transports.js';
import { Signal } from '../../support/waiting.js';

class OutOfTea extends Error {}

class PositivePipe implements PipeTransform<unknown, number> {
  transform(value: unknown): number {
    if (typeof value !== 'number' || value <= 0) {
      throw new RpcException({ code: 'NOT_POSITIVE', value });
    }
    return value;
  }
}

/** Lets those in who say so in a header. */
class TenantGuard implements CanActivate {
  canActivate(host: ExecutionContext): boolean {
    const context = host.switchToRpc().getContext<ClusterPubSubContext>();
    return host.getType() === 'rpc' && context.getHeaders().tenant === 'acme';
  }
}

class DoublingInterceptor implements NestInterceptor<number, number> {
  intercept(_host: ExecutionContext, next: CallHandler<number>): Observable<number> {
    return next.handle().pipe(map((value) => 2 * value));
  }
}

@Catch(OutOfTea)
class TeaFilter implements ExceptionFilter<OutOfTea> {
  catch(): Observable<never> {
    return throwError(() => ({ code: 'OUT_OF_TEA', retryAfter: 60 }));
  }
}

const noted: unknown[] = [];
const lastNoted = new Signal();

@Controller()
class TeaController {
  @MessagePattern('tea.pour')
  pour(@Payload(new PositivePipe()) cups: number): number {
    return cups;
  }

  @UseGuards(TenantGuard)
  @MessagePattern('tea.taste')
  taste(): string {
    return 'fine';
  }

  @UseInterceptors(DoublingInterceptor)
  @MessagePattern('tea.count')
  count(@Payload() cups: number[]): Observable<number> {
    return from(cups);
  }

  @UseFilters(TeaFilter)
  @MessagePattern('tea.brew')
  async brew(): Promise<never> {
    throw new OutOfTea('the tin is empty');
  }

  @UseFilters(TeaFilter)
  @MessagePattern('tea.serve')
  serve(): Observable<number> {
    return concat(
      from([1, 2]),
      throwError(() => new OutOfTea('the pot is empty')),
    );
  }

  @MessagePattern('tea.refuse')
  refuse(@Payload() reason: string | object): never {
    throw new RpcException(reason);
  }

  @MessagePattern('tea.spill')
  spill(): never {
    throw new Error('the password is teapot');
  }

  @UseGuards(TenantGuard)
  @EventPattern<string>('tea.noted')
  onNoted(@Payload(new PositivePipe()) cups: number, @Ctx() context: ClusterPubSubContext): void {
    noted.push([cups, context.getPattern()]);
    lastNoted.resolve();
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [TeaController] });
});

const ask = (pattern: string, data: unknown = {}) => outcome(hybrid.client.send(pattern, data));

function asTenant<T>(data: T, tenant: string) {
  return new ClusterPubSubRecordBuilder(data).setHeaders({ tenant }).build();
}

describe('a pipe on a payload', () => {
  it('passes on what it makes of it', async () => {
    expect(await ask('tea.pour', 3)).toEqual({ values: [3] });
  });

  it('answers with its RpcException what it refuses', async () => {
    expect(await ask('tea.pour', -1)).toEqual({ values: [], error: { code: 'NOT_POSITIVE', value: -1 } });
  });
});

describe('a guard', () => {
  it('sees the context, and lets in', async () => {
    expect(await ask('tea.taste', asTenant({}, 'acme'))).toEqual({ values: ['fine'] });
  });

  it('rejects, and the requester gets the error', async () => {
    expect(await ask('tea.taste', asTenant({}, 'someone else'))).toEqual({
      values: [],
      error: { status: 'error', message: 'Forbidden resource' },
    });
  });

  it('and a pipe keep events from their handler too', async () => {
    hybrid.client.emit('tea.noted', asTenant(1, 'someone else'));
    hybrid.client.emit('tea.noted', asTenant(-1, 'acme'));
    hybrid.client.emit('tea.noted', asTenant(2, 'acme'));
    await lastNoted.promise;
    expect(noted).toEqual([[2, 'tea.noted']]);
  });
});

describe('an interceptor', () => {
  it('works on every value of a stream', async () => {
    expect(await ask('tea.count', [1, 2, 3])).toEqual({ values: [2, 4, 6] });
  });
});

describe('an exception filter', () => {
  const error = { code: 'OUT_OF_TEA', retryAfter: 60 };

  it('determines the error that the requester gets', async () => {
    expect(await ask('tea.brew')).toEqual({ values: [], error });
  });

  it('and of a stream that fails, after the values it gave', async () => {
    expect(await ask('tea.serve')).toEqual({ values: [1, 2], error });
  });
});

describe('what a handler throws', () => {
  it('is an RpcException with an object: the requester gets the object', async () => {
    const reason = { code: 'TOO_HOT', degrees: 98, nested: [null] };
    expect(await ask('tea.refuse', reason)).toEqual({ values: [], error: reason });
  });

  it('is an RpcException with a text: the requester gets it as a message', async () => {
    expect(await ask('tea.refuse', 'too hot')).toEqual({
      values: [],
      error: { status: 'error', message: 'too hot' },
    });
  });

  it('is any other error: the requester gets a masked one', async () => {
    expect(await ask('tea.spill')).toEqual({
      values: [],
      error: { status: 'error', message: 'Internal server error' },
    });
  });
});

describe('after all this', () => {
  it('the server still answers', async () => {
    expect(await lastValueFrom(hybrid.client.send('tea.pour', 1))).toBe(1);
  });
});
