import { InvalidArgumentError } from '../common/errors.js';
import { readFunction } from '../common/validation.js';
import type { MessageHandler, PubSubEncoding } from '../common/messages.js';
import { readNodeReference, type NodeReference } from '../common/node-address.js';
import { checkName, type ChannelName } from '../common/channel-name.js';
import type { SubscriptionTarget } from './subscription.js';

/** Names with their handlers; a `Map` where names are binary. With `undefined`, as without a handler. */
export type HandlerMap<E extends PubSubEncoding> =
  | Readonly<Record<string, MessageHandler<E> | undefined>>
  | ReadonlyMap<ChannelName, MessageHandler<E> | undefined>;

/** What the subscribe methods take, in any number and mixture: names, lists of names, and names with handlers. */
export type SubscribeArgument<E extends PubSubEncoding> =
  ChannelName | readonly ChannelName[] | HandlerMap<E>;

/**
 * The last argument of `subscribe` and `psubscribe`, where they are to stand elsewhere than usual.
 *
 * @publicApi
 */
export interface SubscribeOptions {
  /**
   * `all-masters`: at each master, wherever the masters are, for what each node tells its own clients alone, such as
   * keyspace notifications. (What is published as usual comes once for each master then.) Or one node, a master or a
   * replica: see `PubSubOptions.node`. Default: where channels and patterns belong.
   */
  // eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the word is for readers and editors
  nodes?: 'all-masters' | NodeReference | undefined;
}

/** What `subscribe` and `psubscribe` take: as {@link SubscribeArgument} says, and then the options, if there are any. */
export type SubscribeArguments<E extends PubSubEncoding> =
  SubscribeArgument<E>[] | [...names: SubscribeArgument<E>[], options: SubscribeOptions];

/** What the unsubscribe methods take, in any number and mixture. */
export type NamesArgument = ChannelName | readonly ChannelName[];

export interface SubscribeRequest<E extends PubSubEncoding> {
  readonly name: ChannelName;
  readonly handler: MessageHandler<E> | undefined;
}

/** Reads what is to be subscribed, and where, if the options that may come last say so. */
export function readSubscription<E extends PubSubEncoding>(
  args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
): { readonly requests: readonly SubscribeRequest<E>[]; readonly place: SubscriptionTarget | undefined } {
  const last = args.at(-1);
  if (!isOptions(last)) {
    return { requests: readNames(args as readonly SubscribeArgument<E>[]), place: undefined };
  }
  return {
    requests: readNames(args.slice(0, -1) as readonly SubscribeArgument<E>[]),
    place: readPlace(last),
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
      throw new InvalidArgumentError('The options ({ nodes }) come last, after the names.');
    }
    return entriesOf(arg).map(([name, handler]) => {
      readFunction(`The handler of "${String(name)}"`, handler);
      return { name: checkName(name), handler: handler as MessageHandler<E> | undefined };
    });
  });
  if (requests.length === 0) {
    throw new InvalidArgumentError('Name at least one channel or pattern to subscribe to.');
  }
  return requests;
}

function entriesOf(arg: object): readonly (readonly [name: unknown, handler: unknown])[] {
  if (arg instanceof Map) {
    return [...(arg as ReadonlyMap<unknown, unknown>)];
  }
  if (Symbol.iterator in arg) {
    throw new InvalidArgumentError(
      'Names come one by one or in an array, with handlers in an object or a Map.',
    );
  }
  return Object.entries(arg);
}

function readPlace({ nodes, ...others }: SubscribeOptions): SubscriptionTarget | undefined {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`"${unknown}" is no option of a subscription; "nodes" is.`);
  }
  return nodes === undefined || nodes === 'all-masters' ? nodes : readNodeReference(nodes);
}

/** A channel may be called "nodes" as well: then there is a handler with it. */
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
