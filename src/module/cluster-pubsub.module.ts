import { Module } from '@nestjs/common';
import { ConfigurableModuleClass } from './cluster-pubsub.module-definition.js';

/**
 * Provides a `ClusterPubSubClient` and a `ClusterPubSub` engine for one cluster, and closes both when the application
 * shuts down. Neither connects before it is used. The client and the server do not share this engine.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [ClusterPubSubModule.forRoot({ nodes: [{ host: '127.0.0.1', port: 7000 }] })],
 * })
 * export class AppModule {}
 * ```
 *
 * @example Options from another module, and a second cluster
 * ```ts
 * ClusterPubSubModule.forRootAsync({
 *   name: 'audit',
 *   imports: [ConfigModule],
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ nodes: config.getOrThrow<string>('AUDIT_NODES').split(',') }),
 * });
 * // injected with @InjectClusterPubSubClient('audit')
 * ```
 *
 * @publicApi
 */
@Module({})
export class ClusterPubSubModule extends ConfigurableModuleClass {}
