import { types } from 'node:util';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import { isReserved } from './channel-names.js';

/**
 * The route of a symbol, which Nest's own normalization leaves a symbol: its text, such as `Symbol(orders)`. Undefined
 * for other patterns.
 *
 * @throws {InvalidArgumentError} for a RegExp, which Nest would turn into `{}`.
 */
export function symbolRoute(pattern: unknown): string | undefined {
  if (types.isRegExp(pattern)) {
    throw new InvalidArgumentError(
      `A RegExp (${String(pattern)}) cannot be a pattern: Redis matches channels by *, ? and […] only.`,
    );
  }
  return typeof pattern === 'symbol' ? String(pattern) : undefined;
}

/**
 * The route, if it can be the name of a channel.
 *
 * @throws {InvalidArgumentError} when it cannot.
 */
export function assertRoute(route: unknown): string {
  if (typeof route !== 'string') {
    throw new InvalidArgumentError(
      `A pattern is a string, a number, a symbol or an object, not ${String(route)}.`,
    );
  }
  if (isReserved(route)) {
    throw new InvalidArgumentError(`"${route}" cannot be a pattern: "_cps:" marks channels of this package.`);
  }
  return route;
}
