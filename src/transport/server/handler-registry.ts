import type { MessageHandler } from '@nestjs/microservices';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import { parsePattern, type ParsedPattern } from '../wire/channel-names.js';
import type { PubSubMode } from '../common/options.js';

/** The event handlers of a pattern, in chains by `next`: one for each mode a handler can ask for. */
interface EventChains {
  /** Without a mode: the emitter chooses. */
  both?: MessageHandler;
  classic?: MessageHandler;
  sharded?: MessageHandler;
}

/** All handlers of one pattern. */
export interface HandlerEntry {
  /** The pattern as Nest normalizes it. */
  readonly route: string;
  readonly pattern: ParsedPattern;
  /** Set for handlers of what each master publishes to its own clients, such as keyspace notifications. */
  readonly nodes: 'all-masters' | undefined;
  request?: MessageHandler;
  readonly events: EventChains;
}

/**
 * The handlers of a server by pattern. Request and event handlers are kept apart: in Nest's own map they replace each
 * other.
 *
 * @internal
 */
export class HandlerRegistry {
  readonly #entries = new Map<string, HandlerEntry>();

  constructor(private readonly wildcards: boolean) {}

  get entries(): Iterable<HandlerEntry> {
    return this.#entries.values();
  }

  /** Returns the request handler that it replaces, if any. */
  addRequest(route: string, isString: boolean, handler: MessageHandler): MessageHandler | undefined {
    const entry = this.#entryOf(route, isString, undefined);
    const replaced = entry.request;
    entry.request = handler;
    return replaced;
  }

  addEvent(
    route: string,
    isString: boolean,
    handler: MessageHandler,
    mode: PubSubMode | undefined,
    nodes?: 'all-masters',
  ): void {
    const { events } = this.#entryOf(route, isString, nodes);
    const chain = mode ?? 'both';
    let tail = events[chain];
    if (tail === undefined) {
      events[chain] = handler;
      return;
    }
    while (tail.next !== undefined) {
      tail = tail.next as MessageHandler;
    }
    tail.next = handler;
  }

  /** Only a string can be a wildcard: the route of an object pattern contains its values unescaped. */
  #entryOf(route: string, isString: boolean, nodes: 'all-masters' | undefined): HandlerEntry {
    const pattern: ParsedPattern =
      isString && this.wildcards ? parsePattern(route) : { kind: 'exact', name: route };
    const key = pattern.kind === 'exact' ? `=${pattern.name}` : `~${pattern.glob}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, (entry = { route, pattern, nodes, events: {} }));
    } else if (entry.nodes !== nodes) {
      throw new InvalidArgumentError(
        `Conflicting handlers for "${route}": with nodes: "all-masters" every handler must be an event handler ` +
          'with the same option.',
      );
    }
    return entry;
  }
}
