import { GenerationalCache } from '../../util/generational-cache.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { RequestChannel } from './pending-request.js';

const OF_EXACT_HANDLERS = { verifyZero: true } as const;
const OF_WILDCARD_HANDLERS = { verifyZero: true, via: 'patterns' } as const;

/** Patterns that are made with each request (`user.17`) are not to be remembered without end. */
const REMEMBERED = 2_048;

/** Where requests of one pattern go. */
export interface RequestRoute {
  /** The channel of the pattern; its shard is where the answer comes from. */
  readonly channel: string;
  /** Where to publish, one after the other until a server takes it: first to exact handlers, then to wildcards. */
  readonly channels: readonly RequestChannel[];
}

/**
 * Where requests go, worked out once for each pattern.
 *
 * @internal
 */
export class RequestRoutes {
  readonly #routes = new GenerationalCache<RequestRoute>(REMEMBERED);

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
    const exact: RequestChannel = this.engine.supportsSharded
      ? { command: 'SPUBLISH', channel, wildcard: false, options: OF_EXACT_HANDLERS }
      : { command: 'PUBLISH', channel: classic, wildcard: false, options: OF_EXACT_HANDLERS };
    const wildcard: RequestChannel = {
      command: 'PUBLISH',
      channel: classic,
      wildcard: true,
      options: OF_WILDCARD_HANDLERS,
    };
    return { channel, channels: [exact, wildcard] };
  }
}
