import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type BeforeApplicationShutdown,
  Controller,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  type ClusterPubSubError,
  ClusterPubSubServer,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';
import { outcome } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

let log: string[] = [];
let started = new Signal();
let mayFinish = new Signal();

@Controller()
class ServingController {
  @MessagePattern('serve.echo')
  echo(@Payload() data: unknown): unknown {
    log.push('handled');
    return data;
  }

  @MessagePattern('serve.slow')
  async slow(): Promise<string> {
    started.resolve();
    await mayFinish.promise;
    log.push('finished');
    return 'late, but there';
  }

  @EventPattern<string>('serve.event')
  onEvent(): void {
    log.push('event');
  }
}

@Injectable()
class Farewell implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  async onModuleDestroy(): Promise<void> {
    log.push(`destroy: ${await this.ask()}`);
  }

  async beforeApplicationShutdown(): Promise<void> {
    log.push(`before shutdown: ${await this.ask()}`);
  }

  onApplicationShutdown(): void {
    log.push('shutdown');
  }

  private ask(): Promise<string> {
    return lastValueFrom(this.client.send<string>('serve.echo', 'still served'));
  }
}

// Registered before the applications, which wait for their handlers when they close.
afterEach(() => mayFinish.resolve());
const apps = nestApps();
const serving = { controllers: [ServingController] };

beforeEach(() => {
  log = [];
  started = new Signal();
  mayFinish = new Signal();
});

/** Channels of this file that anybody in the cluster is subscribed to. */
async function subscribed(): Promise<string[]> {
  await using pubsub = new ClusterPubSub(apps.options());
  return [
    ...(await pubsub.pubsubChannels(`${apps.prefix}*`)),
    ...(await pubsub.pubsubShardChannels(`${apps.prefix}*`)),
  ];
}

describe('a hybrid application that closes', () => {
  it('still serves in its destroy hooks, then closes the server, then runs its shutdown hooks', async () => {
    const { app, servers } = await apps.start({ ...serving, providers: [Farewell] });
    servers[0]!.status.subscribe((status) => void log.push(`server ${status}`));
    await app.close();
    expect(log).toEqual([
      'server connected',
      'handled',
      'destroy: still served',
      'handled',
      'before shutdown: still served',
      'server disconnected',
      'shutdown',
    ]);
  });

  it('lets a running handler finish, and its requester gets the response', async () => {
    const { app } = await apps.start(serving);
    const client = apps.add(new ClusterPubSubClient(apps.options()));
    const answer = lastValueFrom(client.send('serve.slow', {}));
    await started.promise;
    const closed = app.close();
    mayFinish.resolve();
    expect(await answer).toBe('late, but there');
    await closed;
  });

  it('accepts nothing new meanwhile: a request then fails at once without subscribers', async () => {
    const { app } = await apps.start(serving);
    const client = apps.add(new ClusterPubSubClient(apps.options()));
    const answer = lastValueFrom(client.send('serve.slow', {}));
    await started.promise;
    const closed = app.close();
    const channel = `${apps.prefix}serve.echo`;
    await eventually(async () => !(await subscribed()).includes(channel), 'its subscriptions have ended');
    const { error } = await outcome(client.send('serve.echo', 1));
    expect(error).toMatchObject({ code: 'NO_SUBSCRIBERS' });
    mayFinish.resolve();
    expect(await answer).toBe('late, but there');
    await closed;
    expect(log).toEqual(['finished']);
  });

  it('handles nothing afterwards, and leaves no subscription behind', async () => {
    const { app } = await apps.start(serving);
    const client = apps.add(new ClusterPubSubClient(apps.options()));
    expect(await lastValueFrom(client.send('serve.echo', 1))).toBe(1);
    await client.close();
    await app.close();
    log = [];
    expect(await subscribed()).toEqual([]);

    const { error } = await outcome(client.send('serve.echo', 1));
    expect(error).toMatchObject({ code: 'NO_SUBSCRIBERS' });
    await lastValueFrom(client.emit('serve.event', 1), { defaultValue: undefined });
    await using pubsub = new ClusterPubSub(apps.options());
    const channel = `${apps.prefix}serve.event`;
    expect(await pubsub.publish(channel, '{}')).toBe(0);
    expect(await pubsub.spublish(channel, '{}')).toBe(0);
    expect(log).toEqual([]);
  });

  it('may be closed twice, at once and one after the other', async () => {
    const { app } = await apps.start({ ...serving, servers: 2 });
    await Promise.all([app.close(), app.close()]);
    await app.close();
    expect(await subscribed()).toEqual([]);
  });

  it('may be closed before its servers listen', async () => {
    const { app, servers } = await apps.create(serving);
    await app.init();
    await app.close();
    await servers[0]!.close();
    expect(await subscribed()).toEqual([]);
  });

  it('may be closed while its servers start, and nothing stays subscribed', async () => {
    const { app } = await apps.create(serving);
    await app.init();
    const starting = app.startAllMicroservices().then(
      () => 'started',
      (error: unknown) => (error as ClusterPubSubError).code,
    );
    await app.close();
    expect(['started', 'CLOSED']).toContain(await starting);
    expect(await subscribed()).toEqual([]);
  });

  it('takes the signal listeners of its microservices with it', async () => {
    const before = process.listenerCount('SIGTERM');
    const { app } = await apps.start({
      ...serving,
      configure: (_app, [microservice]) => void microservice!.enableShutdownHooks(['SIGTERM']),
    });
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    await app.close();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

describe('a microservice of its own', () => {
  it('closes as a hybrid application does', async () => {
    const module = await apps.module(serving).compile();
    const app = apps.add(
      module.createNestMicroservice({ strategy: new ClusterPubSubServer(apps.options()) }),
    );
    await app.listen();
    const client = apps.add(new ClusterPubSubClient(apps.options()));
    expect(await lastValueFrom(client.send('serve.echo', 1))).toBe(1);
    await client.close();
    await Promise.all([app.close(), app.close()]);
    await app.close();
    expect(await subscribed()).toEqual([]);
  });
});
