import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Body,
  CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Inject,
  Injectable,
  type INestApplication,
  type NestInterceptor,
  type OnApplicationShutdown,
  ParseIntPipe,
  Post,
  Query,
  type RpcExceptionFilter,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  ClientsModule,
  CONTEXT,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  type RequestContext,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { catchError, from, lastValueFrom, map, Observable, of, scan, take, throwError, toArray } from 'rxjs';
import request from 'supertest';
import {
  CLUSTER_PUBSUB_TRANSPORT,
  ClusterPubSubClient,
  ClusterPubSubContext,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { transports } from '../../support/transports.js';
import { Signal } from '../../support/waiting.js';

const harness = transports();
const notified = { exact: new Signal<unknown>(), wildcard: new Signal<unknown>(), hooks: [] as string[] };

@Injectable()
class OnlyEven implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData<number>() % 2 === 0;
  }
}

class Doubling implements NestInterceptor {
  intercept(_context: ExecutionContext, next: { handle(): Observable<number> }): Observable<number> {
    return next.handle().pipe(map((value) => value * 2));
  }
}

@Catch(RpcException)
class Explaining implements RpcExceptionFilter<RpcException> {
  catch(exception: RpcException, _host: ArgumentsHost): Observable<never> {
    return throwError(() => ({ explained: exception.getError() }));
  }
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  constructor(@Inject(CONTEXT) readonly context: RequestContext<unknown, ClusterPubSubContext>) {}
}

@Controller()
class Service implements OnApplicationShutdown {
  onApplicationShutdown(): void {
    notified.hooks.push('shutdown');
  }

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'async sum' })
  async asyncSum(numbers: number[]): Promise<number> {
    return this.sum(numbers);
  }

  @MessagePattern({ cmd: 'stream sum' })
  streamSum(numbers: number[]): Observable<number> {
    return of(this.sum(numbers));
  }

  @MessagePattern({ cmd: 'streaming' })
  streaming(numbers: number[]): Observable<number> {
    return from(numbers);
  }

  @MessagePattern('broadcast')
  broadcast(): Observable<number> {
    return new Observable((subscriber) => subscriber.next(1));
  }

  @MessagePattern('bytes')
  bytes(bytes: Buffer): Buffer {
    return Buffer.from(bytes).reverse();
  }

  @MessagePattern('metadata')
  metadata(@Ctx() context: ClusterPubSubContext): unknown {
    return context.getMetadata() ?? null;
  }

  @UseGuards(OnlyEven)
  @UseInterceptors(Doubling)
  @MessagePattern('guarded')
  guarded(@Payload(ParseIntPipe) n: number): number {
    return n;
  }

  @UseFilters(Explaining)
  @MessagePattern('filtered')
  filtered(): never {
    throw new RpcException('sold out');
  }

  @MessagePattern('exception')
  exception(): never {
    throw new RpcException('sold out');
  }

  @MessagePattern('error')
  error(): never {
    throw new Error('secret');
  }

  @MessagePattern('for tcp only', Transport.TCP)
  tcpOnly(): string {
    return 'tcp';
  }

  @MessagePattern('for us only', CLUSTER_PUBSUB_TRANSPORT)
  oursOnly(): string {
    return 'ours';
  }

  @EventPattern('notify')
  onNotify(@Payload() data: unknown): void {
    notified.exact.resolve(data);
  }

  @EventPattern<string>('not*')
  onAnything(@Payload() data: unknown, @Ctx() context: ClusterPubSubContext): void {
    notified.wildcard.resolve([data, context.getChannel()]);
  }
}

@Controller()
class ScopedService {
  constructor(@Inject(Scoped) private readonly scoped: Scoped) {}

  @MessagePattern('scoped')
  answer(data: number): unknown {
    return [data, this.scoped.context.getData(), this.scoped.context.getContext().getPattern()];
  }
}

@Controller()
class Gateway {
  constructor(@Inject('CLIENT') private readonly client: ClusterPubSubClient) {}

  @Post('call')
  @HttpCode(200)
  call(@Query('command') cmd: string, @Body() data: number[]): Observable<number> {
    return this.client.send<number>({ cmd }, data);
  }

  @Post('stream')
  @HttpCode(200)
  stream(@Body() data: number[]): Observable<number> {
    return this.client.send<number>({ cmd: 'streaming' }, data).pipe(scan((a, b) => a + b));
  }

  @Post('concurrent')
  @HttpCode(200)
  async concurrent(@Body() data: number[][]): Promise<boolean> {
    const sums = data.map((numbers) => numbers.reduce((a, b) => a + b));
    const answers = data.map((numbers) => lastValueFrom(this.client.send<number>({ cmd: 'sum' }, numbers)));
    return (await Promise.all(answers)).every((answer, index) => answer === sums[index]);
  }

  @Post('notify')
  @HttpCode(200)
  notify(): Observable<unknown> {
    return this.client.emit('notify', { notification: true });
  }

  @Get('broadcast')
  broadcast(): Observable<number> {
    return this.client.send<number>('broadcast', {}).pipe(
      take(2),
      scan((a, b) => a + b),
    );
  }

  @Get('disconnected')
  disconnected(): Observable<unknown> {
    const nowhere = new ClusterPubSubClient({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 });
    return nowhere.send('sum', [1]).pipe(catchError((error: { code: string }) => of({ code: error.code })));
  }
}

async function startApp(): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [
      ClientsModule.register([
        { name: 'CLIENT', customClass: ClusterPubSubClient, options: harness.options() },
      ]),
    ],
    controllers: [Service, ScopedService, Gateway],
    providers: [Scoped],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  app.connectMicroservice({ strategy: new ClusterPubSubServer(harness.options()) });
  await app.startAllMicroservices();
  return app.init();
}

describe('a hybrid Nest application', () => {
  let app: INestApplication;
  let client: ClusterPubSubClient;
  const http = () => request(app.getHttpServer());

  beforeAll(async () => {
    app = await startApp();
    client = app.get<ClusterPubSubClient>('CLIENT');
  });
  afterAll(async () => {
    await app.close();
  });

  it.each(['sum', 'async sum', 'stream sum'])('answers over HTTP: %s', async (command) => {
    await http().post('/call').query({ command }).send([1, 2, 3, 4, 5]).expect(200, '15');
  });

  it('answers a stream over HTTP, scanned to its sum', async () => {
    await http().post('/stream').send([1, 2, 3, 4, 5]).expect(200, '15');
  });

  it('answers 10 concurrent requests, each with its own', async () => {
    const data = Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, (__, j) => i * j + 1));
    await http().post('/concurrent').send(data).expect(200, 'true');
  });

  it('notifies exact and wildcard event handlers', async () => {
    await http().post('/notify').expect(200);
    expect(await notified.exact.promise).toEqual({ notification: true });
    expect(await notified.wildcard.promise).toEqual([{ notification: true }, `${harness.prefix}notify`]);
  });

  it('gets the answers of two servers', async () => {
    const second = await startApp();
    try {
      await http().get('/broadcast').expect(200, '2');
    } finally {
      await second.close();
    }
  });

  it('turns a client that cannot connect into an error with a code', async () => {
    await http().get('/disconnected').expect(200, { code: 'CLUSTER_UNREACHABLE' });
  });

  it('carries bytes through pipes and controllers', async () => {
    expect(await lastValueFrom(client.send('bytes', Buffer.from([1, 2, 255])))).toEqual(
      Buffer.from([255, 2, 1]),
    );
  });

  it('runs guards, interceptors and pipes', async () => {
    expect(await lastValueFrom(client.send('guarded', '4'))).toBe(8);
    await expect(lastValueFrom(client.send('guarded', '3'))).rejects.toEqual({
      status: 'error',
      message: 'Forbidden resource',
    });
    await expect(lastValueFrom(client.send('guarded', 'x'))).rejects.toMatchObject({ status: 'error' });
  });

  it.each([
    ['filtered', { explained: 'sold out' }],
    ['exception', { status: 'error', message: 'sold out' }],
    ['error', { status: 'error', message: 'Internal server error' }],
  ])('answers with what exception filters make of an error: %s', async (pattern, error) => {
    await expect(lastValueFrom(client.send(pattern, 1))).rejects.toEqual(error);
  });

  it('makes request-scoped controllers for each request', async () => {
    expect(await lastValueFrom(client.send('scoped', 7))).toEqual([7, 7, 'scoped']);
  });

  it('binds the handlers that name this transport, and none of another', async () => {
    expect(await lastValueFrom(client.send('for us only', 1))).toBe('ours');
    await expect(lastValueFrom(client.send('for tcp only', 1))).rejects.toMatchObject({
      code: 'NO_SUBSCRIBERS',
    });
  });

  it('brings metadata from the dispatch hook to the context', async () => {
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: 'abc' }));
    expect(await lastValueFrom(client.send('metadata', 1))).toEqual({ trace: 'abc' });
    client.setOnDispatchHook(() => undefined);
    expect(await lastValueFrom(client.send('metadata', 1).pipe(toArray()))).toEqual([null]);
  });
});

it('a hybrid application that is closed runs its shutdown hooks once and handles nothing more', async () => {
  let calls = 0;

  @Controller()
  class Counting implements OnApplicationShutdown {
    @MessagePattern('count')
    count(): number {
      return ++calls;
    }

    @EventPattern<string>('count')
    onCount(): void {
      calls++;
    }

    onApplicationShutdown(): void {
      notified.hooks.push('closed');
    }
  }

  const module = await Test.createTestingModule({ controllers: [Counting] }).compile();
  const app = module.createNestApplication({ logger: false });
  app.connectMicroservice({ strategy: new ClusterPubSubServer(harness.options()) });
  await app.startAllMicroservices();
  await app.init();
  const client = harness.client();
  expect(await lastValueFrom(client.send('count', 1))).toBe(1);
  notified.hooks.length = 0;
  await app.close();
  await lastValueFrom(client.emit('count', 1));
  await expect(lastValueFrom(client.send('count', 1))).rejects.toMatchObject({ code: 'NO_SUBSCRIBERS' });
  expect(calls).toBe(1);
  expect(notified.hooks).toEqual(['closed']);
});
