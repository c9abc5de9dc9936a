import { InvalidArgumentError } from '../common/errors.js';
import { readFunction } from '../common/validation.js';
import type { MessageHandler, PubSubEncoding } from '../common/messages.js';
import { readNodeReference, type NodeReference } from '../common/node-address.js';
import { checkName, type ChannelName } from '../common/channel-name.js';
import type { SubscriptionTarget } from './subscription.js';

/** Names with their handlers; a `Map` for binary names. `undefined` means no handler. */
export type HandlerMap<E extends PubSubEncoding> =
  | Readonly<Record<string, MessageHandler<E> | undefined>>
  | ReadonlyMap<ChannelName, MessageHandler<E> | undefined>;

/** An argument of the subscribe methods: a name, a list of names, or names with handlers. */
export type SubscribeArgument<E extends PubSubEncoding> =
  ChannelName | readonly ChannelName[] | HandlerMap<E>;

/**
 * The last argument of `subscribe` and `psubscribe`, to subscribe on other nodes than the default one.
 *
 * @publicApi
 */
export interface SubscribeOptions {
  /**
   * `all-masters`: subscribes on every master and follows them, for messages a node publishes to its own clients only,
   * such as keyspace notifications. (Regular messages arrive once per master then.) Or one node, a master or a replica:
   * see `PubSubOptions.node`. Default: the owner node of the channel or pattern.
   */
  // eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the word is for readers and editors
  nodes?: 'all-masters' | NodeReference | undefined;
}

/**
 * The arguments of `subscribe` and `psubscribe`: any number of {@link SubscribeArgument}s, then the options, if any.
 */
export type SubscribeArguments<E extends PubSubEncoding> =
  SubscribeArgument<E>[] | [...names: SubscribeArgument<E>[], options: SubscribeOptions];

/** An argument of the unsubscribe methods: a name or a list of names. */
export type NamesArgument = ChannelName | readonly ChannelName[];

export interface SubscribeRequest<E extends PubSubEncoding> {
  readonly name: ChannelName;
  readonly handler: MessageHandler<E> | undefined;
}

/** Reads the names and handlers, and the target from the options that may come last. */
export function readSubscription<E extends PubSubEncoding>(
  args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
): { readonly requests: readonly SubscribeRequest<E>[]; readonly target: SubscriptionTarget | undefined } {
  const last = args.at(-1);
  if (!isOptions(last)) {
    return { requests: readNames(args as readonly SubscribeArgument<E>[]), target: undefined };
  }
  return {
    requests: readNames(args.slice(0, -1) as readonly SubscribeArgument<E>[]),
    target: readTarget(last),
  };
}

function readNames<E extends PubSubEncoding>(
  args: readonly SubscribeArgument<E>[],
): readonly SubscribeRequest<E>[] {
  const requests = args.flatMap((arg): SubscribeRequest<E>[] => {
    if (isName(arg)) {
      return [{ name: checkName(arg), handler: undefined }];
    }
    if (isList(arg)) {
      return arg.map((name) => ({ name: checkName(name), handler: undefined }));
    }
    if (isOptions(arg)) {
      throw new InvalidArgumentError('The options ({ nodes }) must be the last argument, after the names.');
    }
    return entriesOf(arg).map(([name, handler]) => {
      readFunction(`The handler of "${String(name)}"`, handler);
      return { name: checkName(name), handler: handler as MessageHandler<E> | undefined };
    });
  });
  if (requests.length === 0) {
    throw new InvalidArgumentError('At least one channel or pattern to subscribe to is required.');
  }
  return requests;
}

function entriesOf(arg: object): readonly (readonly [name: unknown, handler: unknown])[] {
  if (arg instanceof Map) {
    return [...(arg as ReadonlyMap<unknown, unknown>)];
  }
  if (Symbol.iterator in arg) {
    throw new InvalidArgumentError(
      'Pass names one by one or in an array, and names with handlers in an object or a Map.',
    );
  }
  return Object.entries(arg);
}

function readTarget({ nodes, ...others }: SubscribeOptions): SubscriptionTarget | undefined {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `Unknown option "${unknown}" of a subscription; the only option is "nodes".`,
    );
  }
  return nodes === undefined || nodes === 'all-masters' ? nodes : readNodeReference(nodes);
}

/** A channel may be named "nodes" too: then it has a handler. */
function isOptions(arg: unknown): arg is SubscribeOptions {
  return (
    typeof arg === 'object' && arg !== null && Object.hasOwn(arg, 'nodes') && !hasHandler(Object.values(arg))
  );
}

function hasHandler(values: readonly unknown[]): boolean {
  return values.some((value) => typeof value === 'function');
}

export function flattenNames(args: readonly NamesArgument[]): readonly ChannelName[] {
  return args.flatMap((arg) => (isList(arg) ? arg.map(checkName) : [checkName(arg)]));
}

function isName(arg: unknown): arg is ChannelName {
  return typeof arg !== 'object' || arg === null || Buffer.isBuffer(arg);
}

function isList(arg: unknown): arg is readonly ChannelName[] {
  return Array.isArray(arg);
}
