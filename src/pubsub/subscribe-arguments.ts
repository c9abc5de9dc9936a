import { InvalidArgumentError } from './errors.js';
import type { MessageHandler } from './message.js';
import type { ChannelName, PubSubEncoding } from './options.js';

/** Names with their handlers; a `Map` where names are binary. */
export type HandlerMap<E extends PubSubEncoding> =
  Readonly<Record<string, MessageHandler<E>>> | ReadonlyMap<ChannelName, MessageHandler<E>>;

/** What the subscribe methods take, in any number and mixture: names, lists of names, and names with handlers. */
export type SubscribeArgument<E extends PubSubEncoding> =
  ChannelName | readonly ChannelName[] | HandlerMap<E>;

/** What the unsubscribe methods take, in any number and mixture. */
export type NamesArgument = ChannelName | readonly ChannelName[];

export interface Request<E extends PubSubEncoding> {
  readonly name: ChannelName;
  readonly handler: MessageHandler<E> | undefined;
}

export function readSubscribeArguments<E extends PubSubEncoding>(
  args: readonly SubscribeArgument<E>[],
): readonly Request<E>[] {
  const requests = args.flatMap((arg): Request<E>[] => {
    if (isName(arg)) {
      return [{ name: checkName(arg), handler: undefined }];
    }
    if (isList(arg)) {
      return arg.map((name) => ({ name: checkName(name), handler: undefined }));
    }
    const entries =
      arg instanceof Map ? [...(arg as ReadonlyMap<ChannelName, unknown>)] : Object.entries(arg);
    return entries.map(([name, handler]) => {
      if (typeof handler !== 'function') {
        throw new InvalidArgumentError(`The handler of "${String(name)}" is not a function.`);
      }
      return { name: checkName(name), handler: handler as MessageHandler<E> };
    });
  });
  if (requests.length === 0) {
    throw new InvalidArgumentError('Name at least one channel or pattern to subscribe to.');
  }
  return requests;
}

export function flattenNames(args: readonly NamesArgument[]): readonly ChannelName[] {
  return args.flatMap((arg) => (isList(arg) ? arg.map(checkName) : [checkName(arg)]));
}

export function checkName(name: unknown): ChannelName {
  if (typeof name !== 'string' && !Buffer.isBuffer(name)) {
    throw new InvalidArgumentError(
      `A channel name is a string or a Buffer, not ${name === null ? 'null' : typeof name}.`,
    );
  }
  return name;
}

function isName(arg: unknown): arg is ChannelName {
  return typeof arg !== 'object' || arg === null || Buffer.isBuffer(arg);
}

function isList(arg: unknown): arg is readonly ChannelName[] {
  return Array.isArray(arg);
}
