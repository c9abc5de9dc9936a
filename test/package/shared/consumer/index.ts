// What users write against the main entry, under `strict` and `exactOptionalPropertyTypes`.
import { Controller, Module } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import type { Cluster } from 'ioredis';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  type ClusterPubSubContext,
  ClusterPubSubError,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubRecordBuilder,
  ClusterPubSubServer,
  type DataMessage,
  type Gap,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
  NoSubscribersError,
  type PubSubOptions,
} from 'nestjs-cluster-pubsub';
import type { Observable } from 'rxjs';

/** An option that may be there, as configuration is read. */
declare const maybe: number | undefined;
declare const cluster: Cluster;

const nodes = [{ host: '127.0.0.1', port: 7000 }];
export const options: ClusterPubSubOptions = {
  nodes,
  mode: 'sharded',
  requestTimeout: maybe,
  prefix: undefined,
};
/** Every option may be undefined. */
export const undefinedOptions: { [K in keyof ClusterPubSubOptions]-?: undefined } extends ClusterPubSubOptions
  ? true
  : never = true;
export const undefinedPubSubOptions: { [K in keyof PubSubOptions]-?: undefined } extends PubSubOptions
  ? true
  : never = true;

@Controller()
export class Greeter {
  constructor(
    @InjectClusterPubSubClient() readonly client: ClusterPubSubClient,
    @InjectClusterPubSub('audit') readonly audit: ClusterPubSub,
  ) {}

  @MessagePattern('greet')
  greet(@Payload() name: string, @Ctx() context: ClusterPubSubContext): string {
    return `Hello, ${name}, on ${context.getChannel()} of ${context.getNode()}!`;
  }

  ask(name: string): Observable<string> {
    const record = new ClusterPubSubRecordBuilder(name)
      .setHeaders({ tenant: 'acme' })
      .setTimeout(500)
      .build();
    return this.client.send<string>('greet', record);
  }
}

@Module({
  imports: [
    ClusterPubSubModule.forRoot(options),
    ClusterPubSubModule.forRootAsync({ name: 'audit', useFactory: async () => ({ nodes }) }),
  ],
  controllers: [Greeter],
})
export class AppModule {}

export const strategy = new ClusterPubSubServer(options);

export async function useTheEngine(): Promise<Gap[]> {
  const gaps: Gap[] = [];
  const text = new ClusterPubSub(cluster, { ignoreSubscribeMessages: true, bufferLimit: maybe });
  text.on('gap', (gap) => gaps.push(gap));
  await text.subscribe('news', { updates: ({ data }: DataMessage) => data.toUpperCase() });
  const onKey = ({ channel }: DataMessage, node: string): string => `${node} ${channel}`;
  await text.psubscribe({ '__keyspace@0__:*': onKey }, { nodes: 'all-masters' });
  const receivers: number = await text.publish('news', 'text');
  const message = await text.getMessage({ timeout: maybe });
  if (message?.type === 'message') message.data satisfies string;

  const bytes = new ClusterPubSub({ nodes, connectTimeout: maybe }, { encoding: 'buffer' });
  await bytes.ssubscribe(Buffer.from('orders'));
  (await bytes.getShardedMessage({ node: text.nodeOf('orders'), timeout: null }))?.channel satisfies
    Buffer | undefined;
  for await (const { channel } of bytes.listen()) channel.subarray(receivers) satisfies Buffer;

  const counts: Map<string, number> = await text.pubsubNumsub('news', 'updates');
  const perNode: Map<string, Map<string, number>> = await text.pubsubNumsub('news', { aggregate: false });
  const listed: Map<string, Buffer[]> = await bytes.pubsubChannels('*', { aggregate: false, nodes: 'all' });
  text.metrics().published satisfies number;
  await Promise.all([text.close(), bytes.close()]);
  return counts.size > perNode.size + listed.size ? [] : gaps;
}

export function codeOf(error: unknown): string | undefined {
  if (error instanceof NoSubscribersError) return error.pattern;
  return error instanceof ClusterPubSubError ? error.code : undefined;
}
