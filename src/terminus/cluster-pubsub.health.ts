import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { ClusterPubSub } from '../pubsub/cluster-pubsub.js';
import { InvalidArgumentError } from '../pubsub/common/errors.js';
import type {
  PubSubHealth,
  PubSubHealthOptions,
  PubSubHealthProfile,
} from '../pubsub/health/health-types.js';
import { HEALTH_DEFAULTS } from '../pubsub/health/health-options.js';
import { reportEnginesAlone, reportUnavailable } from '../pubsub/health/health-report.js';
import {
  connectUnused,
  instancesOf,
  type TransportInstance,
} from '../transport/connection/process-registry.js';
import { sum } from '../util/arrays.js';

import type { ClusterPubSubOptions } from '../transport/common/options.js';
import { HealthLog } from './health-log.js';
import { getClusterPubSubOptionsToken, getClusterPubSubToken } from '../module/cluster-pubsub.tokens.js';

/**
 * Options of {@link ClusterPubSubHealthIndicator.isHealthy}.
 *
 * @publicApi
 */
export interface ClusterPubSubHealthOptions extends Omit<PubSubHealthOptions, 'channels'> {
  /**
   * Patterns whose subscribers are counted, without the prefix of the module's options; with a `pubsub` of your own,
   * channels as they are named on the cluster. Default: the first `maxNames` patterns of the handlers of this process,
   * without wildcards, which cannot be counted; with a `pubsub` of your own, its subscriptions.
   */
  channels?: readonly string[] | undefined;
  /**
   * The engine that queries the cluster. Default: the engine of the server in this process that has the cluster and the
   * prefix of the unnamed `ClusterPubSubModule.forRoot`, together with its clients; without one, the engine that the
   * module provides.
   */
  pubsub?: ClusterPubSub | ClusterPubSub<'buffer'> | undefined;
}

/**
 * The details of a health check, beside its `status`.
 *
 * @publicApi
 */
export type ClusterPubSubHealth = Omit<PubSubHealth, 'status'> & {
  /** The `reasons` as one text; missing when `up`. */
  readonly message?: string;
  readonly requests: {
    /** Requests of the clients in this process that wait for their response. */
    readonly inFlight: number;
    /** Running handlers of the servers in this process. */
    readonly handling: number;
  };
};

/** The result of a health check in the form of Terminus. */
export type ClusterPubSubHealthResult<Key extends string> = HealthIndicatorResult<
  Key,
  HealthIndicatorResult[string]['status'],
  ClusterPubSubHealth
>;

/** Terminus 11 has no `degraded`. */
interface TerminusCheck<Key extends string> {
  up(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
  down(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
  degraded?(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
}

/**
 * Reports the health of the cluster and of this application to Terminus: the result of `ClusterPubSub.health()`, evaluated
 * by the options. With Terminus 11, which has no `degraded`, that status is reported as `up`.
 *
 * It answers within `timeout` and never throws. When a check becomes `down`, and when it no longer is, it writes a line to
 * the log, so that that of Terminus, which has one for each failing check, can be turned off.
 *
 * @example
 * ```ts
 * this.health.check([() => this.pubsub.isHealthy('redis', { for: 'readiness' })]);
 * ```
 *
 * @publicApi
 */
@Injectable()
export class ClusterPubSubHealthIndicator {
  // `#`, not `private`: printing an indicator must not show the password in the options.
  readonly #scope: TransportInstance['options'] | undefined;
  readonly #indicators: HealthIndicatorService;
  readonly #pubsub: ClusterPubSub | undefined;
  readonly #prefix: string;
  readonly #log = new HealthLog(new Logger(ClusterPubSubHealthIndicator.name));

  constructor(
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Optional() @Inject(getClusterPubSubToken()) pubsub?: ClusterPubSub,
    @Optional() @Inject(getClusterPubSubOptionsToken()) options?: ClusterPubSubOptions,
  ) {
    this.#indicators = indicators;
    this.#pubsub = pubsub;
    this.#prefix = options?.prefix ?? '';
    this.#scope = options && { connection: options, prefix: this.#prefix };
  }

  async isHealthy<Key extends string>(
    key: Key,
    options: ClusterPubSubHealthOptions = {},
  ): Promise<ClusterPubSubHealthResult<Key>> {
    let instances: readonly TransportInstance[] = [];
    let health: PubSubHealth;
    let profile: PubSubHealthProfile | undefined;
    try {
      profile = options.for ?? undefined;
      const isLiveness = profile === 'liveness';
      instances = options.pubsub === undefined ? this.instances(!isLiveness) : [];
      health = withAbsences(instances, isLiveness, await this.checkHealth(options, instances));
    } catch (error) {
      health = withAbsences(instances, false, reportUnavailable(error));
    }
    const { status, ...details } = health;
    this.#log.changed(key, profile, status, details.reasons);
    const data: ClusterPubSubHealth = {
      ...details,
      ...(status !== 'up' && { message: details.reasons.join(' ') }),
      requests: {
        inFlight: sum(instances.map((instance) => instance.waiting())),
        handling: sum(instances.map((instance) => instance.handling())),
      },
    };
    const check = this.#indicators.check(key) as TerminusCheck<Key>;
    if (status === 'down') {
      return check.down(data);
    }
    return (status === 'degraded' ? check.degraded?.(data) : undefined) ?? check.up(data);
  }

  private instances(connects: boolean): readonly TransportInstance[] {
    const instances = instancesOf(this.#scope);
    if (instances.length > 0 || this.#pubsub !== undefined || !connects) {
      return instances;
    }
    connectUnused(this.#scope);
    return instancesOf(this.#scope);
  }

  private checkHealth(
    { pubsub, ...options }: ClusterPubSubHealthOptions,
    instances: readonly TransportInstance[],
  ): Promise<PubSubHealth> {
    if (pubsub !== undefined) {
      return pubsub.health(options);
    }
    const usable = instances.filter(({ state }) => state !== 'failed');
    const [first, ...others] = [...usable.map(({ engine }) => engine), ...this.provided(usable)];
    if (first === undefined && options.for === 'liveness') {
      return Promise.resolve(reportEnginesAlone());
    }
    if (first === undefined) {
      throw new InvalidArgumentError(
        'No ClusterPubSub found: import ClusterPubSubModule.forRoot(), create a server or a client, or pass `pubsub`.',
      );
    }
    const prefix = instances[0]?.options.prefix ?? this.#prefix;
    const channels = watchedChannels(options, instances, prefix);
    return first.healthWith(others, { ...options, channels }, prefix);
  }

  /** The engine of the module: used where there is no other engine, or where it is in use. */
  private provided(instances: readonly TransportInstance[]): ClusterPubSub[] {
    const pubsub = this.#pubsub;
    const isUsed = pubsub !== undefined && (pubsub.subscribed || pubsub.metrics().published > 0);
    return pubsub !== undefined && (instances.length === 0 || isUsed) ? [pubsub] : [];
  }
}

/** By their names on the cluster. Undefined: the subscriptions of the engine. */
function watchedChannels(
  { channels, maxNames }: ClusterPubSubHealthOptions,
  instances: readonly TransportInstance[],
  prefix: string,
): readonly string[] | undefined {
  if (channels !== undefined) {
    return prefix === '' ? channels : channels.map((pattern) => prefix + pattern);
  }
  return instances.length === 0
    ? undefined
    : [...new Set(instances.flatMap((instance) => instance.channels))].slice(
        0,
        maxNames ?? HEALTH_DEFAULTS.maxNames,
      );
}

/**
 * Adds the servers that do not serve, of which their engine knows nothing; for liveness those alone that could not listen,
 * because a server does not try again.
 */
function withAbsences(
  instances: readonly TransportInstance[],
  isLiveness: boolean,
  health: PubSubHealth,
): PubSubHealth {
  const reasons = instances.flatMap(({ state, unavailableReason }) =>
    isLiveness && state !== 'failed' ? [] : (unavailableReason ?? []),
  );
  return reasons.length === 0
    ? health
    : { ...health, status: 'down', reasons: [...reasons, ...health.reasons] };
}
