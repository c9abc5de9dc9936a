import { Module } from '@nestjs/common';
import { ClusterPubSubModule } from 'nestjs-cluster-pubsub';
import { clusterOptions } from '../shared/cluster-options.js';
import { NotificationsController } from './notifications.controller.js';

@Module({
  imports: [ClusterPubSubModule.forRoot(clusterOptions())],
  controllers: [NotificationsController],
})
export class NotificationsModule {}
