import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubModule,
  ClusterPubSubServer,
  getClusterPubSubClientToken,
  getClusterPubSubOptionsToken,
  getClusterPubSubToken,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';

@Injectable()
class Consumer {
  constructor(
    @InjectClusterPubSub() readonly pubsub: ClusterPubSub,
    @InjectClusterPubSubClient() readonly client: ClusterPubSubClient,
    @Inject(ClusterPubSub) readonly pubsubByClass: ClusterPubSub,
    @Inject(ClusterPubSubClient) readonly clientByClass: ClusterPubSubClient,
  ) {}
}

@Module({ providers: [Consumer] })
class FeatureModule {}

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }
}

const apps = nestApps();

describe('ClusterPubSubModule.forRoot', () => {
  it('provides client and engine in every module, by decorator and by class', async () => {
    const module = apps.add(
      await apps.module({ imports: [ClusterPubSubModule.forRoot(apps.options()), FeatureModule] }).compile(),
    );
    const { pubsub, client, pubsubByClass, clientByClass } = module.get(Consumer, { strict: false });
    expect(pubsub).toBeInstanceOf(ClusterPubSub);
    expect(client).toBeInstanceOf(ClusterPubSubClient);
    expect(pubsubByClass).toBe(pubsub);
    expect(clientByClass).toBe(client);
    expect(module.get(getClusterPubSubToken())).toBe(pubsub);
    expect(module.get(getClusterPubSubClientToken())).toBe(client);
  });

  it('provides ones that work, against a server made of the same options', async () => {
    const module = await apps
      .module({ imports: [ClusterPubSubModule.forRoot(apps.options())], controllers: [EchoController] })
      .compile();
    const app = apps.add(module.createNestApplication({ logger: apps.logger }));
    // As main.ts does that does not want to say the options again.
    app.connectMicroservice({ strategy: new ClusterPubSubServer(app.get(getClusterPubSubOptionsToken())) });
    await app.startAllMicroservices();
    await app.init();

    expect(await lastValueFrom(app.get(ClusterPubSubClient).send('echo', 'there'))).toBe('there');
    const pubsub = app.get(ClusterPubSub);
    await pubsub.subscribe(`${apps.prefix}news`);
    expect(await pubsub.publish(`${apps.prefix}news`, 'hello')).toBe(1);
    expect(await pubsub.getMessage({ timeout: 1_000, ignoreSubscribeMessages: true })).toMatchObject({
      data: 'hello',
    });
  });

  it('connects neither before it is used, and closes both with the application', async () => {
    const module = await apps
      .module({ imports: [ClusterPubSubModule.forRoot({ nodes: [{ host: '127.0.0.1', port: 1 }] })] })
      .compile();
    await module.init();
    const pubsub = module.get(ClusterPubSub);
    expect(pubsub.status).toBe('idle');
    const client = module.get(ClusterPubSubClient);
    expect(() => client.unwrap()).toThrow(expect.objectContaining({ code: 'NOT_CONNECTED' }));
    await module.close();
    expect(pubsub.closed).toBe(true);
    await expect(pubsub.publish('news', 'too late')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('gives everybody an engine of his own: reset() of the injected one takes no handler along', async () => {
    const { app, client, servers } = await apps.start({ controllers: [EchoController] });
    const pubsub = app.get(ClusterPubSub);
    expect(await lastValueFrom(client.send('echo', 1))).toBe(1);
    await pubsub.connect();
    await pubsub.reset();
    expect(await lastValueFrom(client.send('echo', 2))).toBe(2);
    const engines = new Set<unknown>([pubsub, client.unwrap(), servers[0]!.unwrap()]);
    expect(engines.size).toBe(3);
  });

  it('refuses options that cannot work when the application starts, and says which', async () => {
    const compile = (options: Parameters<typeof ClusterPubSubModule.forRoot>[0]) =>
      apps.module({ imports: [ClusterPubSubModule.forRoot(options)] }).compile();
    await expect(compile(apps.options({ prefix: '{app}:' }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('prefix'),
    });
    await expect(compile({})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('nodes'),
    });
  });
});

describe('isGlobal: false', () => {
  const local = { ...apps.options(), isGlobal: false };

  it('shows the providers to the modules that import it', async () => {
    @Module({ imports: [ClusterPubSubModule.forRoot(local)], providers: [Consumer] })
    class ImportingModule {}
    const module = apps.add(await apps.module({ imports: [ImportingModule] }).compile());
    expect(module.get(Consumer, { strict: false }).client).toBeInstanceOf(ClusterPubSubClient);
  });

  it('and to no others', async () => {
    await expect(
      apps.module({ imports: [ClusterPubSubModule.forRoot(local), FeatureModule] }).compile(),
    ).rejects.toThrow(/Nest can't resolve dependencies of the Consumer/);
  });
});
