import { Inject, Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { ClusterPubSub } from '../pubsub/cluster-pubsub.js';
import { ClusterUnreachableError } from '../pubsub/errors.js';
import type { ClusterPubSubOptions } from '../transport/options.js';
import { getClusterPubSubOptionsToken, getClusterPubSubToken } from '../module/cluster-pubsub.tokens.js';

/**
 * What {@link ClusterPubSubHealthIndicator.isHealthy} looks at.
 *
 * @publicApi
 */
export interface ClusterPubSubHealthOptions {
  /**
   * Patterns (without the prefix of the module's options) whose subscribers are counted; beside a `pubsub` of your
   * own, channels as they are named on the cluster. Default: none.
   */
  channels?: readonly string[] | undefined;
  /** How long the cluster may take to answer, in ms. Default 1,000. */
  timeout?: number | undefined;
  /** The engine to ask with, instead of the one that the unnamed `ClusterPubSubModule.forRoot` provides. */
  pubsub?: ClusterPubSub | ClusterPubSub<'buffer'> | undefined;
}

/**
 * Tells Terminus whether every master of the cluster answers, and who is subscribed.
 *
 * `numsub` and `shardNumsub` count the clients subscribed to each watched channel by name, over all nodes;
 * `patterns` is how many different patterns are subscribed, not by how many clients. It never throws: a failure is `down` with the reason.
 *
 * @example
 * ```ts
 * this.health.check([() => this.pubsub.isHealthy('redis', { channels: ['order.create'] })]);
 * ```
 *
 * @publicApi
 */
@Injectable()
export class ClusterPubSubHealthIndicator {
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Optional() @Inject(getClusterPubSubToken()) private readonly pubsub?: ClusterPubSub,
    @Optional() @Inject(getClusterPubSubOptionsToken()) private readonly options?: ClusterPubSubOptions,
  ) {}

  async isHealthy<Key extends string>(
    key: Key,
    { channels = [], timeout = 1_000, pubsub = this.pubsub }: ClusterPubSubHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const indicator = this.indicators.check(key);
    if (pubsub === undefined) {
      return indicator.down({
        message: 'No ClusterPubSub: import ClusterPubSubModule.forRoot(), or pass `pubsub`.',
      });
    }
    try {
      // The options known here are those of the module's own engine.
      const prefix = pubsub === this.pubsub ? (this.options?.prefix ?? '') : '';
      return indicator.up(await withTimeout(look(pubsub, channels, prefix), timeout));
    } catch (error) {
      const { message, code } = error as Error & { code?: string };
      return indicator.down({ message, ...(code !== undefined && { code }) });
    }
  }
}

async function look(
  pubsub: ClusterPubSub | ClusterPubSub<'buffer'>,
  patterns: readonly string[],
  prefix: string,
): Promise<Record<string, unknown>> {
  await pubsub.connect();
  const channels = patterns.map((pattern) => prefix + pattern);
  const [active, numpat, numsub, shard] = await Promise.all([
    pubsub.pubsubChannels(),
    pubsub.pubsubNumpat(),
    pubsub.pubsubNumsub(...channels),
    pubsub.supportsSharded
      ? Promise.all([pubsub.pubsubShardChannels(), pubsub.pubsubShardNumsub(...channels)])
      : undefined,
  ]);
  return {
    activeChannels: active.length,
    patterns: numpat,
    ...(shard && { activeShardChannels: shard[0].length }),
    numsub: byPattern(numsub, prefix),
    ...(shard && { shardNumsub: byPattern(shard[1], prefix) }),
  };
}

function byPattern(counts: ReadonlyMap<string, number>, prefix: string): Record<string, number> {
  return Object.fromEntries([...counts].map(([channel, count]) => [channel.slice(prefix.length), count]));
}

async function withTimeout<T>(work: Promise<T>, timeout: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ClusterUnreachableError(`The cluster did not answer within ${String(timeout)} ms.`));
    }, timeout);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
