import { Module } from '@nestjs/common';
import { ClusterPubSubModule } from 'nestjs-cluster-pubsub';
import { clusterOptions } from '../shared/cluster-options.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

@Module({
  imports: [ClusterPubSubModule.forRoot(clusterOptions())],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class OrdersModule {}
