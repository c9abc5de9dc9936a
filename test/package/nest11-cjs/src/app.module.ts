import { type DynamicModule, Module } from '@nestjs/common';
import { ClusterPubSubModule, type ClusterPubSubOptions } from 'nestjs-cluster-pubsub';
import { GreeterController } from './greeter.controller';

@Module({})
export class AppModule {
  static on(options: ClusterPubSubOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [ClusterPubSubModule.forRoot(options)],
      controllers: [GreeterController],
    };
  }
}
