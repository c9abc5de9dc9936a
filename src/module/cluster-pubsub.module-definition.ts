import { ConfigurableModuleBuilder, type DynamicModule, type Provider } from '@nestjs/common';
import { ClusterPubSub } from '../pubsub/cluster-pubsub.js';
import { ClusterPubSubClient } from '../transport/client/client.js';
import type { ClusterPubSubOptions } from '../transport/common/options.js';
import {
  getClusterPubSubClientToken,
  getClusterPubSubOptionsToken,
  getClusterPubSubToken,
} from './cluster-pubsub.tokens.js';

/**
 * The options of `forRoot` and `forRootAsync` in addition to those of the cluster.
 *
 * @publicApi
 */
export interface ClusterPubSubModuleExtras {
  /** The name of the cluster in an application with several; pass it to the `Inject…` decorators. */
  name?: string | undefined;
  /** Whether the providers are visible in every module. Default true. */
  isGlobal?: boolean | undefined;
}

/**
 * Creates the options; for `forRootAsync({ useClass })` and `({ useExisting })`.
 *
 * @publicApi
 */
export interface ClusterPubSubOptionsFactory {
  createClusterPubSubOptions(): ClusterPubSubOptions | Promise<ClusterPubSubOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<ClusterPubSubOptions>()
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createClusterPubSubOptions')
    .setExtras<ClusterPubSubModuleExtras>({}, (definition, { name, isGlobal = true }): DynamicModule => ({
      ...definition,
      global: isGlobal,
      providers: [...(definition.providers ?? []), ...providersOf(name)],
      exports: exportsOf(name),
    }))
    .build();

function providersOf(name: string | undefined): Provider[] {
  return [
    { provide: getClusterPubSubOptionsToken(name), useExisting: MODULE_OPTIONS_TOKEN },
    {
      provide: getClusterPubSubToken(name),
      // The engine's own channels need the prefix: an ACL may allow no others.
      useFactory: (options: ClusterPubSubOptions) =>
        new ClusterPubSub(options, {}, { prefix: options.prefix ?? '' }),
      inject: [MODULE_OPTIONS_TOKEN],
    },
    {
      provide: getClusterPubSubClientToken(name),
      useFactory: (options: ClusterPubSubOptions) => new ClusterPubSubClient(options),
      inject: [MODULE_OPTIONS_TOKEN],
    },
    {
      provide: `ClusterPubSubShutdown:${name ?? 'default'}`,
      useFactory: closeOnShutdown,
      inject: [getClusterPubSubToken(name), getClusterPubSubClientToken(name)],
    },
    ...(name === undefined
      ? [
          { provide: ClusterPubSub, useExisting: getClusterPubSubToken() },
          { provide: ClusterPubSubClient, useExisting: getClusterPubSubClientToken() },
        ]
      : []),
  ];
}

function exportsOf(name: string | undefined): NonNullable<DynamicModule['exports']> {
  const tokens = [
    getClusterPubSubOptionsToken(name),
    getClusterPubSubToken(name),
    getClusterPubSubClientToken(name),
  ];
  return name === undefined ? [...tokens, ClusterPubSub, ClusterPubSubClient] : tokens;
}

/**
 * Closes the engine and the client. Nest calls this hook after the servers have closed, so that handlers which finish in
 * their grace period still have a client.
 */
function closeOnShutdown(
  pubsub: ClusterPubSub,
  client: ClusterPubSubClient,
): { onApplicationShutdown(): Promise<void> } {
  return {
    async onApplicationShutdown() {
      await Promise.all([pubsub.close(), client.close()]);
    },
  };
}
