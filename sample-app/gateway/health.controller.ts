import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cluster: ClusterPubSubHealthIndicator,
  ) {}

  /** Whether the shop can take orders: for dashboards and alarms. */
  @Get()
  @HealthCheck()
  shop(): Promise<HealthCheckResult> {
    const channels = ['order.create', 'order.created'];
    return this.health.check([() => this.cluster.isHealthy('cluster', { channels, minSubscribers: 1 })]);
  }

  /** Readiness: whether to send traffic here. Checks the masters that this process needs, and no other service. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.cluster.isHealthy('cluster', { for: 'readiness', probe: true })]);
  }

  /** Liveness: whether to restart. A restart does not repair a cluster, so the cluster is not asked. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.cluster.isHealthy('cluster', { for: 'liveness' })]);
  }
}
