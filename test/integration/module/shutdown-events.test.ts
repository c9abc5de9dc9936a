import { describe, expect, it } from '@jest/globals';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { once } from 'node:events';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubServer,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';
import { startProgram } from '../../support/programs.js';
import { eventually } from '../../support/waiting.js';

const apps = nestApps();

const HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'];
const SENDERS = ['module', 'registered', 'engine'];
/** In slots of each of the masters. */
const TOPICS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Says good-bye in each hook, on each topic, by each way to publish; and waits for none of it. */
@Injectable()
class Farewell implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @InjectClusterPubSubClient() private readonly client: ClusterPubSubClient,
    @InjectClusterPubSub() private readonly pubsub: ClusterPubSub,
    @Inject('SHOP') private readonly registered: ClusterPubSubClient,
  ) {}

  onModuleDestroy(): void {
    this.say('onModuleDestroy');
  }

  beforeApplicationShutdown(): void {
    this.say('beforeApplicationShutdown');
  }

  onApplicationShutdown(): void {
    this.say('onApplicationShutdown');
  }

  private say(hook: string): void {
    for (const topic of TOPICS) {
      this.client.emit(`bye.${topic}`, `${hook} by module`);
      this.registered.emit(`bye.${topic}`, `${hook} by registered`);
      this.pubsub
        .publish(`${apps.prefix}bye.${topic}`, JSON.stringify(`${hook} by engine`))
        .catch(() => undefined);
    }
  }
}

/** Beside the module of the application, as a feature has it. */
function farewellModule(): unknown {
  @Module({
    imports: [
      ClientsModule.register([{ name: 'SHOP', customClass: ClusterPubSubClient, options: apps.options() }]),
    ],
    providers: [Farewell],
  })
  class FarewellModule {}
  return FarewellModule;
}

describe('an application that closes', () => {
  it.each(['that has sent nothing yet', 'whose client is connected'])(
    '%s loses no event of its shutdown hooks',
    async (state) => {
      const heard: string[] = [];
      const listener = apps.add(new ClusterPubSubServer(apps.options()));
      for (const topic of TOPICS) {
        listener.addHandler(`bye.${topic}`, async (data: string) => void heard.push(data), true);
      }
      await listener.listen((error) => expect(error).toBeUndefined());
      const { app, client } = await apps.start({ imports: [farewellModule() as never] });
      if (state === 'whose client is connected') {
        await client.connect();
      }
      await app.close();
      const expected = HOOKS.flatMap((hook) =>
        SENDERS.flatMap((sender) => TOPICS.map(() => `${hook} by ${sender}`)),
      );
      await eventually(() => heard.length === expected.length, 'all were heard', 3_000).catch(
        () => undefined,
      );
      expect(heard.sort()).toEqual(expected.sort());
    },
  );
});

describe('a rolling restart', () => {
  it('delivers the shutdown events of every process', async () => {
    const heard: string[] = [];
    const topics = Array.from({ length: 20 }, (_, index) => `left.${index}`);
    const listener = apps.add(new ClusterPubSubServer(apps.options()));
    for (const topic of topics) {
      listener.addHandler(topic, async (data: string) => void heard.push(data), true);
    }
    await listener.listen((error) => expect(error).toBeUndefined());
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) {
      const args = [JSON.stringify(apps.options()), JSON.stringify(topics), name];
      const child = startProgram('test/support/programs/farewell-app.ts', args);
      const exited = once(child, 'exit');
      await once(child.stdout!, 'data');
      child.kill('SIGTERM');
      expect(await exited).toEqual([null, 'SIGTERM']);
    }
    const expected = names.flatMap((name) => topics.flatMap(() => [`${name} leaves`, `${name} has left`]));
    await eventually(() => heard.length === expected.length, 'all were heard', 3_000).catch(() => undefined);
    expect(heard.sort()).toEqual(expected.sort());
  });
});
