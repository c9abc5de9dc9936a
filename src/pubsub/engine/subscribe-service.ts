import { channelKey, type ChannelName } from '../common/channel-name.js';
import { InvalidArgumentError, ShardedUnsupportedError } from '../common/errors.js';
import type { Lifecycle } from './lifecycle.js';
import type { MessageDispatcher } from '../delivery/message-dispatcher.js';
import type { SubscriptionKindName, PubSubEncoding } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Reconciler } from '../reconciler/reconciler.js';
import {
  flattenNames,
  readSubscription,
  type NamesArgument,
  type SubscribeRequest,
  type SubscribeArgument,
  type SubscribeOptions,
} from '../subscription/subscribe-arguments.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';
import { Subscription, type SubscriptionTarget } from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';

/** What subscriptions need of the engine. */
export interface SubscribeServiceDeps<E extends PubSubEncoding> {
  readonly registry: SubscriptionRegistry;
  readonly reconciler: Reconciler;
  readonly dispatcher: MessageDispatcher<E>;
  readonly topology: Topology;
  readonly lifecycle: Lifecycle;
  /** The node where channels and patterns stand, if one was chosen. */
  readonly node: NodeKey | undefined;
  sharded(): boolean;
}

/**
 * What the subscribe and unsubscribe methods do, of whatever kind: from their arguments to what is wanted and confirmed.
 *
 * Calls take effect in their order: each waits for the same promise, that of the connection, once and no longer, and
 * what it wants is written down in the step that follows. (A subscription at a chosen node that nobody knows yet waits for
 * another look at the cluster.)
 */
export class SubscribeService<E extends PubSubEncoding> {
  /** How many calls of {@link add} have not come to an end. */
  #pending = 0;

  constructor(private readonly engine: SubscribeServiceDeps<E>) {}

  /** Whether anything is subscribed, or about to be: from the call until Redis has confirmed the end. */
  get any(): boolean {
    return !this.engine.lifecycle.closed && (this.#pending > 0 || this.engine.registry.inUse);
  }

  /** Resolves when Redis has confirmed all; rejects when one fails, and the others stand. */
  async add(
    kind: SubscriptionKind,
    args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
  ): Promise<void> {
    const { requests, place } = this.#read(kind, args);
    this.#pending += 1;
    try {
      await this.#add(kind, requests, place);
    } finally {
      this.#pending -= 1;
      this.#endIterations();
    }
  }

  async #add(
    kind: SubscriptionKind,
    requests: readonly SubscribeRequest<E>[],
    place: SubscriptionTarget,
  ): Promise<void> {
    const { registry, reconciler, dispatcher, topology, lifecycle } = this.engine;
    await lifecycle.connect();
    if (place !== 'home' && place !== 'all-masters' && !topology.knows(place)) {
      await topology.assertKnown([place]);
    }
    lifecycle.assertNotClosed();
    if (kind.name === 'shard' && !this.engine.sharded()) {
      throw new ShardedUnsupportedError();
    }
    for (const { name } of requests) {
      assertPlace(registry.get(kind.name, channelKey(name)), place);
    }
    const wanted = requests.map(({ name, handler }) => {
      let subscription = registry.get(kind.name, channelKey(name));
      if (subscription === undefined) {
        subscription = new Subscription(kind, name, place);
        registry.add(subscription);
      }
      subscription.handleWith(handler);
      return subscription;
    });
    // All are awaited even when one fails: the rest stand, and no rejection is left unhandled.
    const results = await Promise.allSettled(
      wanted.map((subscription) =>
        reconciler.add(subscription, () => {
          dispatcher.confirm(kind.subscribed, subscription.name, registry.confirm(subscription));
        }),
      ),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  /** Without arguments, all of the kind; an empty list names none. */
  async remove(kind: SubscriptionKind, args: readonly NamesArgument[]): Promise<void> {
    const { registry, reconciler, dispatcher, lifecycle } = this.engine;
    const names = flattenNames(args);
    lifecycle.assertNotClosed();
    try {
      await lifecycle.connecting;
    } catch {
      // Nothing stands then; what was wanted before is still to be forgotten.
    }
    const leaving = args.length === 0 ? registry.of(kind.name).map(({ name }) => name) : names;
    await Promise.all(
      leaving.map(async (name) => {
        const subscription = registry.get(kind.name, channelKey(name));
        if (subscription !== undefined) {
          registry.leave(subscription);
        }
        const count = registry.count(kind.name);
        if (subscription !== undefined) {
          await reconciler.remove(subscription);
          registry.gone(subscription);
        }
        dispatcher.confirm(kind.unsubscribed, name, count);
      }),
    );
    this.#endIterations();
  }

  names(kind: SubscriptionKindName): ReadonlySet<ChannelName> {
    return new Set(this.engine.registry.of(kind).map(({ name }) => name));
  }

  #read(
    kind: SubscriptionKind,
    args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
  ): ReturnType<typeof readSubscription<E>> & { readonly place: SubscriptionTarget } {
    const { requests, place } = readSubscription(args);
    if (kind.name !== 'shard') {
      return { requests, place: place ?? this.engine.node ?? 'home' };
    }
    if (place !== undefined) {
      throw new InvalidArgumentError(
        'Shard channels stand where their slots are: no nodes can be chosen for them.',
      );
    }
    return { requests, place: 'home' };
  }

  /** Lets `listen()` end when there is nothing more to come. */
  #endIterations(): void {
    if (!this.any) {
      this.engine.dispatcher.wakeIterations();
    }
  }
}

/** A name stands in one place: messages do not say for which of several subscriptions they come. */
function assertPlace(standing: Subscription | undefined, place: SubscriptionTarget): void {
  if (standing !== undefined && standing.target !== place) {
    const where = standing.target === 'home' ? 'where it belongs' : `at ${standing.target}`;
    throw new InvalidArgumentError(
      `"${standing.text}" is subscribed already, ${where}. Unsubscribe it before you subscribe it elsewhere.`,
    );
  }
}
