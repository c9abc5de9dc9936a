// What the type checker promises about the engine; tsc judges these files (npm run typecheck), Jest only runs them.
import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Cluster, ClusterNode, ClusterOptions } from 'ioredis';
import type {
  ChannelName,
  ClusterConnectionOptions,
  ClusterPubSub,
  ClusterPubSubError,
  ConfirmationMessage,
  DataMessage,
  EncodingErrors,
  Gap,
  GetShardedMessageOptions,
  IntrospectionOptions,
  Interruption,
  MessageHandler,
  Moved,
  NodeReference,
  NodeSelection,
  Payload,
  PubSubMessage,
  PubSubMetrics,
  PubSubOptions,
  PubSubStatus,
  SubscribeOptions,
} from '../../../src/index.js';

type Text = ClusterPubSub;
type Binary = ClusterPubSub<'buffer'>;
type Async<T> = Promise<T>;

describe('ClusterPubSub, by type', () => {
  it('is made of the options of a cluster, or of an ioredis Cluster', () => {
    type Source = ConstructorParameters<typeof ClusterPubSub>[0];
    expectTypeOf<Cluster>().toExtend<Source>();
    expectTypeOf<{ nodes: ClusterNode[] }>().toExtend<Source>();
    expectTypeOf<{ nodes: { host: string; port: number }[] }>().toExtend<Source>();
    expectTypeOf<{ cluster: Cluster }>().toExtend<Source>();
    expectTypeOf<{ nodes: ClusterNode[]; clusterOptions: ClusterOptions }>().toExtend<Source>();
    expectTypeOf<{ nodes: string }>().not.toExtend<ClusterConnectionOptions>();
  });

  it('hands out strings, or Buffers where the encoding is buffer', () => {
    expectTypeOf<Text['getMessage']>().returns.toEqualTypeOf<Async<PubSubMessage | null>>();
    expectTypeOf<Text['listen']>().returns.toEqualTypeOf<AsyncGenerator<PubSubMessage, void, undefined>>();
    expectTypeOf<DataMessage['channel' | 'data']>().toEqualTypeOf<string>();
    expectTypeOf<DataMessage['pattern']>().toEqualTypeOf<string | null>();
    expectTypeOf<ConfirmationMessage['channel']>().toEqualTypeOf<string>();

    expectTypeOf<Binary['getMessage']>().returns.toEqualTypeOf<Async<PubSubMessage<'buffer'> | null>>();
    expectTypeOf<DataMessage<'buffer'>['channel' | 'data']>().toEqualTypeOf<Buffer>();
    expectTypeOf<DataMessage<'buffer'>['pattern']>().toEqualTypeOf<Buffer | null>();
    expectTypeOf<ConfirmationMessage<'buffer'>['channel']>().toEqualTypeOf<Buffer>();
  });

  it('infers the encoding from the options', () => {
    const make = null as unknown as (options: PubSubOptions<'buffer'>) => Binary;
    expectTypeOf(make).toBeCallableWith({ encoding: 'buffer' });
    expectTypeOf<PubSubOptions<'buffer'>['encoding']>().toEqualTypeOf<'buffer' | undefined>();
    expectTypeOf<InstanceType<typeof ClusterPubSub<'buffer'>>>().toEqualTypeOf<Binary>();
  });

  it('distinguishes a message from a confirmation by its type', () => {
    expectTypeOf<Extract<PubSubMessage, { type: 'pmessage' | 'smessage' }>>().toBeNever();
    expectTypeOf<PubSubMessage['type']>().toEqualTypeOf<
      | 'message'
      | 'pmessage'
      | 'smessage'
      | 'subscribe'
      | 'psubscribe'
      | 'ssubscribe'
      | 'unsubscribe'
      | 'punsubscribe'
      | 'sunsubscribe'
    >();
    const message = null as unknown as PubSubMessage;
    const check = (): void => {
      if (message.type === 'message') expectTypeOf(message).toEqualTypeOf<DataMessage>();
      if (message.type === 'subscribe') expectTypeOf(message).toEqualTypeOf<ConfirmationMessage>();
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('subscribes to names, lists of names, and names with handlers, in any mixture', () => {
    const pubsub = null as unknown as Text;
    const bytes = null as unknown as Buffer;
    const handler: MessageHandler = () => undefined;
    const check = async (): Promise<void> => {
      const handlers = new Map([[bytes, handler]]);
      await pubsub.subscribe('news', bytes, ['a', bytes] as const, { news: handler }, handlers);
      await pubsub.psubscribe('news.*', { 'a.*': handler });
      await pubsub.ssubscribe(['orders'], { orders: handler });
      // @ts-expect-error A name is no number.
      await pubsub.subscribe(1);
      const optional = null as unknown as MessageHandler | undefined;
      await pubsub.subscribe({ news: optional }, new Map([[bytes, optional]]));
      // @ts-expect-error Its messages are text here.
      await pubsub.subscribe({ news: (message: DataMessage<'buffer'>) => message });

      await pubsub.unsubscribe();
      await pubsub.unsubscribe('news', bytes, ['a', bytes] as const);
      await pubsub.punsubscribe('news.*');
      await pubsub.sunsubscribe();
    };
    expectTypeOf(check).toBeFunction();
  });

  it('takes the place of a subscription after its names, and not before', () => {
    const pubsub = null as unknown as Text;
    const handler: MessageHandler = () => undefined;
    const names: string[] = [];
    const check = async (): Promise<void> => {
      await pubsub.psubscribe({ '__keyspace@0__:*': handler }, { nodes: 'all-masters' });
      await pubsub.subscribe('a', ['b'], { nodes: '127.0.0.1:7000' });
      await pubsub.subscribe(...names, { nodes: { host: '127.0.0.1', port: 7000 } });
      await pubsub.subscribe('a', { nodes: undefined });
      // @ts-expect-error They come last.
      await pubsub.subscribe({ nodes: 'all-masters' }, 'a');
      // @ts-expect-error There is no such option.
      await pubsub.subscribe('a', { nodes: 'all-masters', x: 1 });
      // @ts-expect-error Shard channels stand where their slots are.
      await pubsub.ssubscribe('a', { nodes: 'all-masters' });
    };
    expectTypeOf(check).toBeFunction();
    expectTypeOf<SubscribeOptions['nodes']>().toEqualTypeOf<NodeReference | undefined>();
    expectTypeOf<NodeReference>().toEqualTypeOf<string | { readonly host: string; readonly port: number }>();
    expectTypeOf<PubSubOptions['node']>().toEqualTypeOf<NodeReference | undefined>();
    expectTypeOf<{ host: string }>().not.toExtend<NodeReference>();
    expectTypeOf<Text['node']>().toEqualTypeOf<string | undefined>();
  });

  it('names the node of a channel, by its kind', () => {
    expectTypeOf<Text['nodeOf']>().parameters.toEqualTypeOf<
      [name: ChannelName, kind?: 'channel' | 'pattern' | 'shard']
    >();
    expectTypeOf<Text['nodeOf']>().returns.toEqualTypeOf<string | undefined>();
  });

  it('reads shard messages apart, of one node where one is named', () => {
    expectTypeOf<Text['getShardedMessage']>().returns.toEqualTypeOf<Async<PubSubMessage | null>>();
    expectTypeOf<Binary['getShardedMessage']>().returns.toEqualTypeOf<
      Async<PubSubMessage<'buffer'> | null>
    >();
    expectTypeOf<Text['getShardedMessage']>()
      .parameter(0)
      .toEqualTypeOf<GetShardedMessageOptions | undefined>();
    expectTypeOf<GetShardedMessageOptions>().toEqualTypeOf<{
      timeout?: number | null | undefined;
      ignoreSubscribeMessages?: boolean | undefined;
      node?: NodeReference | undefined;
    }>();
  });

  it('gives handlers of errors and of everything else what they are to handle', () => {
    type OnHandlerError = NonNullable<PubSubOptions<'utf8'>['onHandlerError']>;
    expectTypeOf<OnHandlerError>().parameters.toEqualTypeOf<[error: unknown, message: DataMessage]>();
    type PushHandler = NonNullable<PubSubOptions<'buffer'>['pushHandler']>;
    expectTypeOf<PushHandler>().parameters.toEqualTypeOf<
      [message: PubSubMessage<'buffer'>, node: string | undefined]
    >();
    expectTypeOf<OnHandlerError | PushHandler>().returns.toEqualTypeOf<unknown>();
    expectTypeOf<PubSubOptions['encodingErrors']>().toEqualTypeOf<EncodingErrors | undefined>();
    expectTypeOf<EncodingErrors>().toEqualTypeOf<'replace' | 'strict'>();
  });

  it('has metrics that are numbers, all of them', () => {
    expectTypeOf<Text['metrics']>().returns.toEqualTypeOf<PubSubMetrics>();
    expectTypeOf<PubSubMetrics[keyof PubSubMetrics]>().toEqualTypeOf<number>();
    expectTypeOf<'published' | 'received' | 'dropped' | 'desired' | 'confirmed'>().toExtend<
      keyof PubSubMetrics
    >();
  });

  it('has methods whose parameters can be read off, as mocks of Jest and Vitest do', () => {
    // Those of a function with readonly rest parameters are never.
    type Methods = Text['subscribe' | 'unsubscribe'];
    expectTypeOf<Parameters<Methods>>().not.toBeNever();
    expectTypeOf<ReturnType<Methods>>().toEqualTypeOf<Async<void>>();
  });

  it('calls a handler with the message and the node it came from', () => {
    expectTypeOf<MessageHandler>().parameters.toEqualTypeOf<[message: DataMessage, node: string]>();
    expectTypeOf<MessageHandler>().returns.toEqualTypeOf<unknown>();
  });

  it('publishes text and bytes, and resolves with a count', () => {
    expectTypeOf<Text['publish']>().parameter(0).toEqualTypeOf<ChannelName>();
    expectTypeOf<Text['publish' | 'spublish']>().parameter(1).toEqualTypeOf<Payload>();
    expectTypeOf<Payload>().toEqualTypeOf<string | Buffer | Uint8Array>();
    expectTypeOf<Text['publish' | 'spublish']>().returns.toEqualTypeOf<Async<number>>();
  });

  it('answers for the cluster, or for each node where aggregate is false', () => {
    const pubsub = null as unknown as Text;
    type Check = () => void;
    const check: Check = () => {
      expectTypeOf(pubsub.pubsubChannels('*')).toEqualTypeOf<Async<string[]>>();
      expectTypeOf(pubsub.pubsubChannels('*', { aggregate: false })).toEqualTypeOf<
        Async<Map<string, string[]>>
      >();
      expectTypeOf(pubsub.pubsubShardChannels()).toEqualTypeOf<Async<string[]>>();
      expectTypeOf(pubsub.pubsubNumpat()).toEqualTypeOf<Async<number>>();
      expectTypeOf(pubsub.pubsubNumpat({ aggregate: false })).toEqualTypeOf<Async<Map<string, number>>>();
      expectTypeOf(pubsub.pubsubNumsub('a', 'b')).toEqualTypeOf<Async<Map<string, number>>>();
      expectTypeOf(pubsub.pubsubShardNumsub('a', { aggregate: true })).toEqualTypeOf<
        Async<Map<string, number>>
      >();
      expectTypeOf(pubsub.pubsubNumsub('a', { aggregate: false })).toEqualTypeOf<
        Async<Map<string, Map<string, number>>>
      >();
    };
    const binary = null as unknown as Binary;
    const bytes = null as unknown as Buffer;
    const checkBytes: Check = () => {
      expectTypeOf(binary.pubsubChannels()).toEqualTypeOf<Async<Buffer[]>>();
      expectTypeOf(binary.pubsubShardChannels('*', { aggregate: false })).toEqualTypeOf<
        Async<Map<string, Buffer[]>>
      >();
      expectTypeOf(pubsub.pubsubNumsub('a', bytes)).toEqualTypeOf<Async<Map<ChannelName, number>>>();
      expectTypeOf(pubsub.pubsubShardNumsub(bytes, { aggregate: false })).toEqualTypeOf<
        Async<Map<string, Map<ChannelName, number>>>
      >();
      // @ts-expect-error The pattern comes first.
      void pubsub.pubsubChannels({ aggregate: false });
    };
    expectTypeOf(checkBytes).toEqualTypeOf<Check>();
    expectTypeOf<IntrospectionOptions['nodes']>().toEqualTypeOf<NodeSelection | undefined>();
    expectTypeOf<'all' | 'all-masters' | 'all-replicas' | string[]>().toExtend<NodeSelection>();
    expectTypeOf<{ host: string; port: number }[]>().toExtend<NodeSelection>();
    expectTypeOf<number>().not.toExtend<NodeSelection>();
    expectTypeOf(check).toEqualTypeOf<Check>();
  });

  it('lists what it is subscribed to, to read only', () => {
    expectTypeOf<Text['channels' | 'patterns' | 'shardChannels']>().toEqualTypeOf<ReadonlySet<ChannelName>>();
    expectTypeOf<Text['subscribed' | 'closed']>().toEqualTypeOf<boolean>();
    expectTypeOf<Text['status']>().toEqualTypeOf<PubSubStatus>();
  });

  it('emits gap, lost, moved, status and error, each with its facts', () => {
    const pubsub = null as unknown as Text;
    const check = (): void => {
      pubsub.on('gap', (gap) => expectTypeOf(gap).toEqualTypeOf<Gap>());
      pubsub.on('interrupted', (loss) => expectTypeOf(loss).toEqualTypeOf<Interruption>());
      pubsub.on('moved', (moved) => expectTypeOf(moved).toEqualTypeOf<Moved>());
      pubsub.on('status', (status) => expectTypeOf(status).toEqualTypeOf<PubSubStatus>());
      pubsub.on('error', (error) => expectTypeOf(error).toEqualTypeOf<ClusterPubSubError>());
    };
    expectTypeOf(check).returns.toBeVoid();
  });

  it('ends with close, reset, or the block of an await using', () => {
    expectTypeOf<Text['close' | 'reset']>().returns.toEqualTypeOf<Async<void>>();
    expectTypeOf<Text>().toExtend<AsyncDisposable>();
  });
});
