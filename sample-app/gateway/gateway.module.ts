import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ClusterPubSubModule } from 'nestjs-cluster-pubsub';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';
import { clusterOptions } from '../shared/cluster-options.js';
import { HealthController } from './health.controller.js';
import { LiveController } from './live.controller.js';
import { NotificationsController } from './notifications.controller.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [ClusterPubSubModule.forRoot(clusterOptions()), TerminusModule],
  controllers: [OrdersController, NotificationsController, LiveController, HealthController],
  providers: [ClusterPubSubHealthIndicator],
})
export class GatewayModule {}
