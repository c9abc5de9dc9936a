import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpStatus,
  UseFilters,
} from '@nestjs/common';
import type { Response } from 'express';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Observable } from 'rxjs';
import {
  type ClusterPubSubClient,
  ClusterPubSubError,
  ClusterPubSubModule,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { http, nestApps } from '../../support/nest-apps.js';
import { eventually } from '../../support/waiting.js';

@Catch(ClusterPubSubError)
class UnavailableFilter implements ExceptionFilter {
  catch({ code, message }: ClusterPubSubError, host: ArgumentsHost): void {
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(HttpStatus.SERVICE_UNAVAILABLE)
      .json({ code, message });
  }
}

@UseFilters(UnavailableFilter)
@Controller()
class CutOffController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @Get('send')
  ask(): Observable<unknown> {
    return this.client.send('anything', {});
  }

  @Get('emit')
  tell(): Observable<unknown> {
    return this.client.emit('anything', {});
  }

  @Get('forget')
  forget(): string {
    this.client.emit('anything', {});
    return 'forgotten';
  }
}

const apps = nestApps({ nodes: [] });
let port: number;
let app: Awaited<ReturnType<typeof start>>;

async function start() {
  const module = await apps
    .module({
      imports: [ClusterPubSubModule.forRoot({ nodes: [{ host: '127.0.0.1', port }], connectTimeout: 500 })],
      controllers: [CutOffController],
    })
    .compile();
  const started = apps.add(module.createNestApplication({ logger: apps.logger }));
  await started.listen(0, '127.0.0.1');
  return started;
}

beforeAll(async () => {
  port = await portWithNobodyBehindIt();
  app = await start();
});

describe('where no cluster can be reached', () => {
  it.each(['send', 'emit'])('%s fails within the time limit, with a code', async (verb) => {
    const began = performance.now();
    const { body } = await http({ app }).get(`/${verb}`).expect(503);
    expect(body).toEqual({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('the next request tries again and gets the same answer', async () => {
    for (let i = 0; i < 2; i++) {
      const { body } = await http({ app }).get('/send').expect(503);
      expect(body.code).toBe('CLUSTER_UNREACHABLE');
    }
  });

  it('an event without a subscriber to its Observable is logged as lost, and does no other harm', async () => {
    await http({ app }).get('/forget').expect(200, 'forgotten');
    await eventually(
      () =>
        apps.logged.some((line) => line.includes('Failed to publish event') && line.includes(String(port))),
      'the loss is logged',
    );
  });
});

async function portWithNobodyBehindIt(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
