import { describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  type ClusterPubSubClient,
  ClusterPubSubModule,
  ClusterPubSubServer,
  getClusterPubSubOptionsToken,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';
import { ownCluster } from '../../support/own-cluster.js';
import { outcome } from '../../support/transports.js';

@Injectable()
class Consumer {
  constructor(
    @InjectClusterPubSub() readonly shop: ClusterPubSub,
    @InjectClusterPubSubClient() readonly shopClient: ClusterPubSubClient,
    @InjectClusterPubSub('audit') readonly audit: ClusterPubSub,
    @InjectClusterPubSubClient('audit') readonly auditClient: ClusterPubSubClient,
  ) {}
}

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }
}

const apps = nestApps();
const other = ownCluster({ masters: 1, replicas: 0 });

async function startWith(...imports: ReturnType<typeof ClusterPubSubModule.forRoot>[]) {
  const module = await apps
    .module({ imports, controllers: [EchoController], providers: [Consumer] })
    .compile();
  return apps.add(module.createNestApplication({ logger: apps.logger }));
}

describe('two clusters in one application', () => {
  it('are separate: messages to one do not arrive from the other', async () => {
    const app = await startWith(
      ClusterPubSubModule.forRoot(apps.options()),
      ClusterPubSubModule.forRoot({ name: 'audit', ...apps.options({ nodes: other.nodes }) }),
    );
    const { shop, audit, shopClient, auditClient } = app.get(Consumer);
    const channel = `${apps.prefix}news`;
    await shop.subscribe(channel);
    await audit.subscribe(channel);
    expect(await shop.publish(channel, 'of the shop')).toBe(1);
    expect(await audit.publish(channel, 'of the audit')).toBe(1);
    const read = (of: ClusterPubSub) => of.getMessage({ timeout: 1_000, ignoreSubscribeMessages: true });
    expect(await read(shop)).toMatchObject({ data: 'of the shop' });
    expect(await read(audit)).toMatchObject({ data: 'of the audit' });

    const strategy = new ClusterPubSubServer(app.get(getClusterPubSubOptionsToken('audit')));
    app.connectMicroservice({ strategy });
    await app.startAllMicroservices();
    expect(await lastValueFrom(auditClient.send('echo', 'there'))).toBe('there');
    expect(await outcome(shopClient.send('echo', 'there'))).toMatchObject({
      error: { code: 'NO_SUBSCRIBERS' },
    });
  });

  it('may be two prefixes of one cluster', async () => {
    const app = await startWith(
      ClusterPubSubModule.forRoot(apps.options()),
      ClusterPubSubModule.forRootAsync({
        name: 'audit',
        useFactory: () => apps.options({ prefix: `audit-${apps.prefix}` }),
      }),
    );
    app.connectMicroservice({ strategy: new ClusterPubSubServer(app.get(getClusterPubSubOptionsToken())) });
    await app.startAllMicroservices();
    const { shopClient, auditClient } = app.get(Consumer);
    expect(await lastValueFrom(shopClient.send('echo', 'there'))).toBe('there');
    expect(await outcome(auditClient.send('echo', 'there'))).toMatchObject({
      error: { code: 'NO_SUBSCRIBERS' },
    });
  });

  it('may both have names: then the class is a token of neither', async () => {
    const module = apps.add(
      await apps
        .module({
          imports: [
            ClusterPubSubModule.forRoot({ name: 'shop', ...apps.options() }),
            ClusterPubSubModule.forRoot({ name: 'audit', ...apps.options() }),
          ],
        })
        .compile(),
    );
    expect(() => module.get(ClusterPubSub)).toThrow(/ClusterPubSub/);
  });

  it('both close with the application', async () => {
    const app = await startWith(
      ClusterPubSubModule.forRoot(apps.options()),
      ClusterPubSubModule.forRoot({ name: 'audit', ...apps.options({ nodes: other.nodes }) }),
    );
    await app.init();
    const { shop, audit } = app.get(Consumer);
    await Promise.all([shop.connect(), audit.connect()]);
    await app.close();
    expect([shop.closed, audit.closed]).toEqual([true, true]);
  });
});
