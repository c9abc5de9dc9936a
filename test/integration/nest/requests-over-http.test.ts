import { beforeAll, describe, it } from '@jest/globals';
import { Body, Controller, HttpCode, Post, Query } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { from, lastValueFrom, type Observable, of, scan } from 'rxjs';
import { type ClusterPubSubClient, InjectClusterPubSubClient } from '../../../src/index.js';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';

const total = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

@Controller()
class SumController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @Post()
  @HttpCode(200)
  ask(@Query('command') cmd: string, @Body() numbers: number[]): Observable<number> {
    return this.client.send<number>({ cmd }, numbers);
  }

  @Post('running-total')
  @HttpCode(200)
  runningTotal(@Body() numbers: number[]): Observable<number> {
    return this.client.send<number>({ cmd: 'stream' }, numbers).pipe(scan((sum, value) => sum + value));
  }

  @Post('at-once')
  @HttpCode(200)
  atOnce(@Body() lists: number[][]): Promise<number[]> {
    return Promise.all(
      lists.map((numbers) => lastValueFrom(this.client.send<number>({ cmd: 'sum' }, numbers))),
    );
  }

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return total(numbers);
  }

  @MessagePattern({ cmd: 'async' })
  async promised(@Payload() numbers: number[]): Promise<number> {
    return Promise.resolve(Promise.resolve(total(numbers)));
  }

  @MessagePattern({ cmd: 'observable' })
  observed(@Payload() numbers: number[]): Observable<number> {
    return of(total(numbers));
  }

  @MessagePattern({ cmd: 'promised observable' })
  async promisedObservable(@Payload() numbers: number[]): Promise<Observable<number>> {
    return of(total(numbers));
  }

  @MessagePattern({ cmd: 'stream' })
  stream(@Payload() numbers: number[]): Observable<number> {
    return from(numbers);
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [SumController] });
});

describe('an HTTP request that asks a service over the cluster', () => {
  it.each(['sum', 'async', 'observable', 'promised observable'])('is answered by "%s"', async (command) => {
    await http(hybrid).post('/').query({ command }).send([1, 2, 3, 4, 5]).expect(200, '15');
  });

  it('gets the last value of a stream that is scanned', async () => {
    await http(hybrid).post('/running-total').send([1, 2, 3, 4, 5]).expect(200, '15');
  });

  it('may ask ten things at once, and each answer finds its question', async () => {
    const lists = Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, (_, k) => 10 * i + k + 1));
    await http(hybrid).post('/at-once').send(lists).expect(200, lists.map(total));
  });

  it('is not mixed up with the nine others that come at the same time', async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        http(hybrid)
          .post('/?command=sum')
          .send([i, 1000])
          .expect(200, String(i + 1000)),
      ),
    );
  });
});
