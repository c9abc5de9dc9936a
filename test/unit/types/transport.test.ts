// What the type checker promises about the Nest side; tsc judges these files (npm run typecheck), Jest only runs them.
import { describe, it } from '@jest/globals';
import type { DynamicModule } from '@nestjs/common';
import {
  type BaseRpcContext,
  type ClientProxy,
  type CustomTransportStrategy,
  type Deserializer,
  type MicroserviceOptions,
  type Serializer,
  type Server,
} from '@nestjs/microservices';
import { expectTypeOf } from 'expect-type';
import type { Observable } from 'rxjs';
import type {
  ClusterConnectionOptions,
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubContext,
  ClusterPubSubModule,
  ClusterPubSubOptions,
  ClusterPubSubOptionsFactory,
  ClusterPubSubRecord,
  ClusterPubSubRecordBuilder,
  ClusterPubSubServer,
  ClusterPubSubStatus,
  ClusterPubSubTransportEvents,
  Gap,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
  PubSubMode,
} from '../../../src/index.js';

interface Order {
  readonly id: number;
}

describe('the transport, by type', () => {
  it('takes one object of options for module, server and client', () => {
    expectTypeOf<ConstructorParameters<typeof ClusterPubSubServer>>().toEqualTypeOf<
      [options: ClusterPubSubOptions]
    >();
    expectTypeOf<ConstructorParameters<typeof ClusterPubSubClient>>().toEqualTypeOf<
      [options: ClusterPubSubOptions]
    >();
    expectTypeOf<ClusterPubSubOptions>().toExtend<ClusterConnectionOptions>();
    expectTypeOf<ClusterPubSubOptions['mode']>().toEqualTypeOf<'classic' | 'sharded' | undefined>();
    expectTypeOf<ClusterPubSubOptions['prefix']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<ClusterPubSubOptions['requestTimeout']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<ClusterPubSubOptions['serializer']>().toEqualTypeOf<Serializer | undefined>();
    expectTypeOf<ClusterPubSubOptions['deserializer']>().toEqualTypeOf<Deserializer | undefined>();
  });

  it('is a strategy, a Server and a ClientProxy of Nest', () => {
    expectTypeOf<ClusterPubSubServer>().toExtend<CustomTransportStrategy>();
    expectTypeOf<ClusterPubSubServer>().toExtend<Server<ClusterPubSubTransportEvents>>();
    expectTypeOf<{ strategy: ClusterPubSubServer }>().toExtend<MicroserviceOptions>();
    expectTypeOf<ClusterPubSubClient>().toExtend<ClientProxy>();
  });

  it('sends and emits what the test says, and replies as the test says', () => {
    const client = null as unknown as ClusterPubSubClient;
    const check = (): void => {
      expectTypeOf(client.send<Order>('order.get', 1)).toEqualTypeOf<Observable<Order>>();
      expectTypeOf(client.send<Order, number>('order.get', 1)).toEqualTypeOf<Observable<Order>>();
      expectTypeOf(client.send('order.get', 1)).toEqualTypeOf<Observable<unknown>>();
      expectTypeOf(client.emit('order.placed', { id: 1 })).toEqualTypeOf<Observable<unknown>>();
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('reports its status and metrics, and hands out its engine', () => {
    type Side = ClusterPubSubServer | ClusterPubSubClient;
    expectTypeOf<Side['status']>().toEqualTypeOf<Observable<ClusterPubSubStatus>>();
    expectTypeOf<ClusterPubSubStatus>().toEqualTypeOf<'connected' | 'reconnecting' | 'disconnected'>();
    expectTypeOf<ReturnType<Side['unwrap']>>().toEqualTypeOf<unknown>();
    const server = null as unknown as ClusterPubSubServer;
    const check = (): void => {
      expectTypeOf(server.unwrap()).toEqualTypeOf<ClusterPubSub<'buffer'>>();
      server.on('gap', (gap) => expectTypeOf(gap).toEqualTypeOf<Gap>());
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('gives a handler a context to ask', () => {
    expectTypeOf<ClusterPubSubContext>().toExtend<BaseRpcContext>();
    expectTypeOf<ClusterPubSubContext['getChannel' | 'getPattern' | 'getNode']>().toEqualTypeOf<
      () => string
    >();
    expectTypeOf<ClusterPubSubContext['getHeaders']>().returns.toEqualTypeOf<
      Readonly<Record<string, string>>
    >();
    expectTypeOf<ClusterPubSubContext['getMessage']>().returns.toBeUnknown();
  });

  it('builds records of what they carry', () => {
    const builder = null as unknown as ClusterPubSubRecordBuilder<Order>;
    const check = (): void => {
      const record = builder.setHeaders({ tenant: 'acme' }).setMode('sharded').setTimeout(500).build();
      expectTypeOf(record).toEqualTypeOf<ClusterPubSubRecord<Order>>();
      expectTypeOf(record.data).toEqualTypeOf<Order>();
      // @ts-expect-error A header is a string.
      builder.setHeaders({ tenant: 1 });
      // @ts-expect-error There are two modes.
      builder.setMode('both');
    };
    expectTypeOf(check).returns.toBeVoid();
    expectTypeOf<PubSubMode>().toEqualTypeOf<'classic' | 'sharded'>();
  });
});

describe('the module, by type', () => {
  const module = null as unknown as typeof ClusterPubSubModule;

  it('takes the options, and the name of a cluster', () => {
    const check = (): void => {
      expectTypeOf(module.forRoot({ nodes: [{ host: 'redis', port: 7000 }] })).toEqualTypeOf<DynamicModule>();
      module.forRoot({ nodes: ['redis:7000'], name: 'audit', isGlobal: false, mode: 'sharded' });
      // @ts-expect-error No such mode.
      module.forRoot({ nodes: ['redis:7000'], mode: 'fast' });
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('takes a factory, a class, or what is provided already', () => {
    class Config implements ClusterPubSubOptionsFactory {
      createClusterPubSubOptions(): ClusterPubSubOptions {
        return { nodes: ['redis:7000'] };
      }
    }
    const check = (): void => {
      module.forRootAsync({ name: 'audit', inject: [], useFactory: () => ({ nodes: ['redis:7000'] }) });
      module.forRootAsync({ useFactory: async () => ({ nodes: ['redis:7000'] }) });
      module.forRootAsync({ useClass: Config });
      module.forRootAsync({ useExisting: Config });
      // @ts-expect-error It makes no options.
      module.forRootAsync({ useClass: Date });
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('injects by decorators for properties and for parameters', () => {
    type Decorators = typeof InjectClusterPubSub | typeof InjectClusterPubSubClient;
    expectTypeOf<ReturnType<Decorators>>().toEqualTypeOf<PropertyDecorator & ParameterDecorator>();
    expectTypeOf<Parameters<Decorators>>().toEqualTypeOf<[name?: string]>();
  });
});
