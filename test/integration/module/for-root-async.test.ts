import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ClusterPubSub,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  type ClusterPubSubOptionsFactory,
  getClusterPubSubOptionsToken,
} from '../../../src/index.js';
import { nestApps } from '../../support/nest-apps.js';

const apps = nestApps();

@Injectable()
class Config {
  readonly prefix = apps.prefix;
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

@Injectable()
class OptionsFromConfig implements ClusterPubSubOptionsFactory {
  constructor(@Inject(Config) private readonly config: Config) {}

  createClusterPubSubOptions(): ClusterPubSubOptions {
    return apps.options({ prefix: this.config.prefix });
  }
}

@Module({
  imports: [ConfigModule],
  providers: [OptionsFromConfig],
  exports: [OptionsFromConfig],
})
class OptionsModule {}

type Async = Parameters<typeof ClusterPubSubModule.forRootAsync>[0];

async function start(options: Async) {
  return apps.add(await apps.module({ imports: [ClusterPubSubModule.forRootAsync(options)] }).compile());
}

describe('ClusterPubSubModule.forRootAsync takes its options from', () => {
  it.each<[string, Async]>([
    [
      'useFactory, with what it injects',
      {
        imports: [ConfigModule],
        inject: [Config],
        useFactory: ({ prefix }: Config) => apps.options({ prefix }),
      },
    ],
    [
      'useFactory that promises them',
      {
        useFactory: async () => {
          await sleep(5);
          return apps.options();
        },
      },
    ],
    ['useClass', { imports: [ConfigModule], useClass: OptionsFromConfig }],
    ['useExisting', { imports: [OptionsModule], useExisting: OptionsFromConfig }],
  ])('%s', async (_name, options) => {
    const module = await start(options);
    expect(module.get(getClusterPubSubOptionsToken())).toMatchObject({ prefix: apps.prefix });
    const pubsub = module.get(ClusterPubSub);
    await pubsub.subscribe(`${apps.prefix}news`);
    expect(await pubsub.publish(`${apps.prefix}news`, 'hello')).toBe(1);
  });
});

describe('ClusterPubSubModule.forRootAsync', () => {
  it('fails the start when the factory does', async () => {
    await expect(
      start({ useFactory: () => Promise.reject(new Error('no config to be had')) }),
    ).rejects.toThrow('no config to be had');
  });

  it('may be local to its importers too', async () => {
    @Injectable()
    class Consumer {
      constructor(@Inject(ClusterPubSub) readonly pubsub: ClusterPubSub) {}
    }
    @Module({ providers: [Consumer] })
    class FeatureModule {}
    const imports = [
      ClusterPubSubModule.forRootAsync({ isGlobal: false, useFactory: () => apps.options() }),
      FeatureModule,
    ];
    await expect(apps.module({ imports }).compile()).rejects.toThrow(/Nest can't resolve dependencies/);
  });
});
