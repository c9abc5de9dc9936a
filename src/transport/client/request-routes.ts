import type { PublishCommand, PublishOptions } from '../../pubsub/common/publish-options.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { ChannelNames } from '../wire/channel-names.js';

const EXACT_OPTIONS = { verifyZero: true } as const;
const WILDCARD_OPTIONS = { verifyZero: true, via: 'patterns' } as const;

/** Bounds the cache, because patterns may differ with each request (`user.17`). */
const MAX_CACHED_ROUTES = 2_048;

/** Where to publish a request. */
export interface RequestChannel {
  readonly command: PublishCommand;
  readonly channel: string;
  readonly options: PublishOptions;
}

/** Where requests of one pattern are published: to exact handlers first, then to wildcard handlers. */
export interface RequestRoute {
  /** The pattern as Nest normalizes it. */
  readonly pattern: string;
  /** The channel of the pattern; the reply comes from the same shard. */
  readonly channel: string;
  readonly exact: RequestChannel;
  readonly wildcard: RequestChannel;
}

/**
 * The routes of requests by pattern, computed once for each.
 *
 * @internal
 */
export class RequestRoutes {
  readonly #routes = new GenerationalCache<RequestRoute>(MAX_CACHED_ROUTES);

  constructor(
    private readonly engine: TransportEngine,
    private readonly names: ChannelNames,
  ) {}

  of(pattern: string): RequestRoute {
    let route = this.#routes.get(pattern);
    if (route === undefined) {
      route = this.#newRoute(pattern);
      this.#routes.add(pattern, route);
    }
    return route;
  }

  #newRoute(pattern: string): RequestRoute {
    const channel = this.names.channel(pattern);
    const classic = this.names.request(pattern);
    return {
      pattern,
      channel,
      exact: this.engine.supportsSharded
        ? { command: 'SPUBLISH', channel, options: EXACT_OPTIONS }
        : { command: 'PUBLISH', channel: classic, options: EXACT_OPTIONS },
      wildcard: { command: 'PUBLISH', channel: classic, options: WILDCARD_OPTIONS },
    };
  }
}
