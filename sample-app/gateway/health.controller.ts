import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cluster: ClusterPubSubHealthIndicator,
  ) {}

  /** Whether the shop can take orders: for people and their alarms. */
  @Get()
  @HealthCheck()
  shop(): Promise<HealthCheckResult> {
    const channels = ['order.create', 'order.created'];
    return this.health.check([() => this.cluster.isHealthy('cluster', { channels, minSubscribers: 1 })]);
  }

  /** Whether to send traffic here: what the gateway needs of the cluster, and no other service. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.cluster.isHealthy('cluster', { probe: true })]);
  }

  /** Whether to restart: that mends no cluster, so it asks of nothing but that this process answers. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }
}
