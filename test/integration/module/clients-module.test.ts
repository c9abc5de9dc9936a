import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, type INestApplication, Query } from '@nestjs/common';
import { ClientProxy, ClientsModule, MessagePattern, Payload } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { ClusterPubSubClient, ClusterPubSubServer } from '../../../src/index.js';
import { http, nestApps } from '../../support/nest-apps.js';

const apps = nestApps();

@Controller()
class GreetController {
  constructor(
    @Inject('REGISTERED') private readonly registered: ClientProxy,
    @Inject('REGISTERED_ASYNC') private readonly registeredAsync: ClientProxy,
  ) {}

  @Get('greet')
  greet(@Query('by') by: 'registered' | 'registeredAsync'): Observable<string> {
    return this[by].send<string>('greet', by);
  }

  @MessagePattern('greet')
  onGreet(@Payload() name: string): string {
    return `hello ${name}`;
  }
}

let app: INestApplication;

beforeAll(async () => {
  const module = await apps
    .module({
      imports: [
        ClientsModule.register([
          { name: 'REGISTERED', customClass: ClusterPubSubClient, options: apps.options() },
        ]),
        ClientsModule.registerAsync([
          {
            name: 'REGISTERED_ASYNC',
            useFactory: async () => ({ customClass: ClusterPubSubClient, options: apps.options() }),
          },
        ]),
      ],
      controllers: [GreetController],
    })
    .compile();
  app = apps.add(module.createNestApplication({ logger: apps.logger }));
  app.connectMicroservice({ strategy: new ClusterPubSubServer(apps.options()) });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
});

describe("a client that Nest's ClientsModule makes", () => {
  it.each([
    ['by register', 'registered'],
    ['by registerAsync', 'registeredAsync'],
  ])('%s asks and is answered', async (_name, by) => {
    await http({ app }).get('/greet').query({ by }).expect(200, `hello ${by}`);
  });

  it('is a ClusterPubSubClient, and closes with the application', async () => {
    const client = app.get<ClusterPubSubClient>('REGISTERED');
    expect(client).toBeInstanceOf(ClusterPubSubClient);
    const engine = client.unwrap();
    await app.close();
    expect(engine.closed).toBe(true);
  });
});
