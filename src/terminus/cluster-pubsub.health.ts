import { Inject, Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { ClusterPubSub } from '../pubsub/cluster-pubsub.js';
import { InvalidArgumentError } from '../pubsub/common/errors.js';
import type { PubSubHealth, PubSubHealthOptions } from '../pubsub/health/health-types.js';
import { healthWithout } from '../pubsub/health/health-check.js';
import { instancesOf, type TransportInstance } from '../transport/connection/process-registry.js';
import { sum } from '../util/arrays.js';
import { connectUnused } from '../transport/connection/unused-clients.js';
import type { ClusterPubSubOptions } from '../transport/common/options.js';
import { getClusterPubSubOptionsToken, getClusterPubSubToken } from '../module/cluster-pubsub.tokens.js';
import { WatchedChannels } from './watched-channels.js';

/**
 * What {@link ClusterPubSubHealthIndicator.isHealthy} looks at, and what it is to be judged by.
 *
 * @publicApi
 */
export interface ClusterPubSubHealthOptions extends Omit<PubSubHealthOptions, 'channels'> {
  /**
   * Patterns (without the prefix of the module's options) whose subscribers are counted; beside a `pubsub` of your own,
   * channels as they are named on the cluster. Default: those of the handlers of this process, the first `maxNames` of
   * them; wildcards cannot be counted. Beside a `pubsub` of your own, what that is subscribed to.
   */
  channels?: readonly string[] | undefined;
  /**
   * The engine to ask with. Default: that of the server in this process that has the cluster and the prefix of the unnamed
   * `ClusterPubSubModule.forRoot`, with what its clients know; where there is none, the engine that the module provides.
   */
  pubsub?: ClusterPubSub | ClusterPubSub<'buffer'> | undefined;
}

/**
 * What Terminus is told, beside the `status`.
 *
 * @publicApi
 */
export type ClusterPubSubHealth = Omit<PubSubHealth, 'status'> & {
  /** The `reasons` in one text, where it is not `up`. */
  readonly message?: string;
  readonly requests: {
    /** How many requests of the clients in this process wait for their answer. */
    readonly inFlight: number;
    /** How many handlers of the servers in this process run. */
    readonly handling: number;
  };
};

/** What Terminus makes of it. */
export type ClusterPubSubHealthResult<Key extends string> = HealthIndicatorResult<
  Key,
  HealthIndicatorResult[string]['status'],
  ClusterPubSubHealth
>;

/** Terminus 11 knows no `degraded`. */
interface Verdicts<Key extends string> {
  up(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
  down(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
  degraded?(data: ClusterPubSubHealth): ClusterPubSubHealthResult<Key>;
}

/**
 * Tells Terminus how the cluster is doing, whether this application hears what it should, and who is subscribed: what
 * `ClusterPubSub.health()` tells, judged by the options. With Terminus 11, which knows no `degraded`, that is `up`.
 *
 * It answers within `timeout` and never throws.
 *
 * @example
 * ```ts
 * this.health.check([() => this.pubsub.isHealthy('redis', { channels: ['order.create'], minSubscribers: 1 })]);
 * ```
 *
 * @publicApi
 */
@Injectable()
export class ClusterPubSubHealthIndicator {
  // Of the language, not of the types: whoever prints an indicator is not to see the password of the options.
  readonly #watched = new WatchedChannels();
  readonly #like: TransportInstance['options'] | undefined;
  readonly #indicators: HealthIndicatorService;
  readonly #pubsub: ClusterPubSub | undefined;
  readonly #prefix: string;

  constructor(
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Optional() @Inject(getClusterPubSubToken()) pubsub?: ClusterPubSub,
    @Optional() @Inject(getClusterPubSubOptionsToken()) options?: ClusterPubSubOptions,
  ) {
    this.#indicators = indicators;
    this.#pubsub = pubsub;
    this.#prefix = options?.prefix ?? '';
    this.#like = options && { connection: options, prefix: this.#prefix };
  }

  async isHealthy<Key extends string>(
    key: Key,
    options: ClusterPubSubHealthOptions = {},
  ): Promise<ClusterPubSubHealthResult<Key>> {
    let parts: readonly TransportInstance[] = [];
    let health: PubSubHealth;
    try {
      parts = options.pubsub === undefined ? this.parts() : [];
      health = withAbsent(parts, await this.look(options, parts));
    } catch (error) {
      health = withAbsent(parts, healthWithout(error));
    }
    const { status, ...facts } = health;
    const data: ClusterPubSubHealth = {
      ...facts,
      ...(status !== 'up' && { message: facts.reasons.join(' ') }),
      requests: {
        inFlight: sum(parts.map((part) => part.waiting())),
        handling: sum(parts.map((part) => part.handling())),
      },
    };
    const verdicts = this.#indicators.check(key) as Verdicts<Key>;
    if (status === 'down') {
      return verdicts.down(data);
    }
    return (status === 'degraded' ? verdicts.degraded?.(data) : undefined) ?? verdicts.up(data);
  }

  private parts(): readonly TransportInstance[] {
    const parts = instancesOf(this.#like);
    if (parts.length > 0 || this.#pubsub !== undefined) {
      return parts;
    }
    connectUnused(this.#like);
    return instancesOf(this.#like);
  }

  private look(
    { pubsub, ...options }: ClusterPubSubHealthOptions,
    parts: readonly TransportInstance[],
  ): Promise<PubSubHealth> {
    if (pubsub !== undefined) {
      return pubsub.health(options);
    }
    const there = parts.filter(({ absence }) => absence?.final !== true);
    const [asked, ...others] = [...there.map(({ engine }) => engine), ...this.provided(there)];
    if (asked === undefined) {
      throw new InvalidArgumentError(
        'No ClusterPubSub: import ClusterPubSubModule.forRoot(), make a server or a client, or pass `pubsub`.',
      );
    }
    const prefix = parts[0]?.options.prefix ?? this.#prefix;
    const channels = this.#watched.names(options, parts, prefix);
    return asked.healthWith(others, { ...options, channels }, prefix);
  }

  /** The engine of the module: where there is nothing else to ask, and where somebody uses it. */
  private provided(parts: readonly TransportInstance[]): ClusterPubSub[] {
    const pubsub = this.#pubsub;
    return pubsub !== undefined && (parts.length === 0 || pubsub.subscribed) ? [pubsub] : [];
  }
}

/** A server that does not serve is what its cluster cannot tell. */
function withAbsent(parts: readonly TransportInstance[], health: PubSubHealth): PubSubHealth {
  const reasons = parts.flatMap(({ absence }) => absence?.reason ?? []);
  return reasons.length === 0
    ? health
    : { ...health, status: 'down', reasons: [...reasons, ...health.reasons] };
}
