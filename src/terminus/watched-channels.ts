import { HEALTH_DEFAULTS } from '../pubsub/health/health-options.js';
import { isSameList } from '../util/arrays.js';
import type { TransportInstance } from '../transport/connection/process-registry.js';

/** What may be asked for. */
interface Asked {
  readonly channels?: readonly string[] | undefined;
  readonly maxNames?: number | undefined;
}

/** The first of what servers handle. */
interface Handled {
  readonly from: readonly (readonly string[])[];
  readonly most: number;
  readonly names: readonly string[];
}

/** What somebody has asked for. */
interface Prefixed {
  /** A copy: theirs may have been changed since. */
  readonly of: readonly string[];
  readonly prefix: string;
  readonly names: readonly string[];
}

/**
 * The channels that are watched, by their names on the cluster. A load balancer asks the same again and again: a list that
 * is the same as before is not made anew, and is known by that to be the same.
 */
export class WatchedChannels {
  #handled: Handled = { from: [], most: 0, names: [] };
  readonly #prefixed = new WeakMap<readonly string[], Prefixed>();

  /** Undefined where nothing is asked for and there are no servers and clients: what the engine is subscribed to, then. */
  names(
    { channels, maxNames }: Asked,
    parts: readonly TransportInstance[],
    prefix: string,
  ): readonly string[] | undefined {
    if (channels !== undefined) {
      return prefix === '' ? channels : this.#withPrefix(channels, prefix);
    }
    return parts.length === 0
      ? undefined
      : this.#ofHandlers(
          parts.map((part) => part.channels),
          maxNames ?? HEALTH_DEFAULTS.maxNames,
        );
  }

  #withPrefix(patterns: readonly string[], prefix: string): readonly string[] {
    const known = this.#prefixed.get(patterns);
    if (known?.prefix === prefix && isSameList(known.of, patterns)) {
      return known.names;
    }
    const names = patterns.map((pattern) => prefix + pattern);
    this.#prefixed.set(patterns, { of: [...patterns], prefix, names });
    return names;
  }

  #ofHandlers(from: readonly (readonly string[])[], most: number): readonly string[] {
    const known = this.#handled;
    if (known.most === most && isSameList(known.from, from)) {
      return known.names;
    }
    const names = [...new Set(from.flat())].slice(0, most);
    this.#handled = { from, most, names };
    return names;
  }
}
