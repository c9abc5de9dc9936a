import { Test } from '@nestjs/testing';
import type { INestMicroservice } from '@nestjs/common';
import { ClusterPubSubServer, NoSubscribersError } from 'nestjs-cluster-pubsub';
import { type LocalCluster, startLocalCluster } from 'nestjs-cluster-pubsub/testing';
import { firstValueFrom } from 'rxjs';
import { AppModule } from '../src/app.module';
import { GreeterController } from '../src/greeter.controller';

describe('the greeter, in Jest without ES modules', () => {
  let cluster: LocalCluster;
  let app: INestMicroservice;
  let greeter: GreeterController;

  beforeAll(async () => {
    cluster = await startLocalCluster({ masters: 3, replicas: 0 });
    const options = { nodes: cluster.nodes };
    const testing = await Test.createTestingModule({ imports: [AppModule.on(options)] }).compile();
    app = testing.createNestMicroservice({ strategy: new ClusterPubSubServer(options), logger: false });
    await app.listen();
    greeter = app.get(GreeterController);
  }, 30_000);

  afterAll(async () => {
    await app.close();
    await cluster.stop();
  });

  it('answers a request', async () => {
    expect(await firstValueFrom(greeter.client.send('greet', 'Ada'))).toBe('Hello, Ada!');
  });

  it('gets an event', async () => {
    greeter.client.emit('greeted.Grace', 'Grace');
    expect(await firstValueFrom(greeter.greeted)).toEqual(['Grace', 'greeted.Grace']);
  });

  it('fails a request to nobody with an error of the package', async () => {
    await expect(firstValueFrom(greeter.client.send('nobody', {}))).rejects.toBeInstanceOf(
      NoSubscribersError,
    );
  });
});
