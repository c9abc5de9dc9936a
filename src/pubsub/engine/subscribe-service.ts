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
import type { Subscription, SubscriptionTarget } from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';

export interface SubscribeServiceDeps<E extends PubSubEncoding> {
  readonly registry: SubscriptionRegistry;
  readonly reconciler: Reconciler;
  readonly dispatcher: MessageDispatcher<E>;
  readonly topology: Topology;
  readonly lifecycle: Lifecycle;
  /** The node chosen for channels and patterns, if any. */
  readonly node: NodeKey | undefined;
  sharded(): boolean;
  /** Creates a subscription of this engine. */
  create(kind: SubscriptionKind, name: ChannelName, target: SubscriptionTarget): Subscription;
}

/**
 * The subscribe and unsubscribe methods of all kinds, from their arguments to the confirmations.
 *
 * Calls take effect in their order: each awaits the same promise, the connection, exactly once, and registers its
 * subscriptions in the next step. (A subscription on a chosen node that is unknown waits for one more refresh.)
 */
export class SubscribeService<E extends PubSubEncoding> {
  /** Calls of {@link add} that have not settled. */
  #pending = 0;

  constructor(private readonly engine: SubscribeServiceDeps<E>) {}

  /** Whether anything is subscribed: from the call until Redis has confirmed the end. */
  get any(): boolean {
    return !this.engine.lifecycle.closed && (this.#pending > 0 || this.engine.registry.inUse);
  }

  /** Resolves when Redis has confirmed all; rejects when one fails, and keeps the others. */
  async add(
    kind: SubscriptionKind,
    args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
  ): Promise<void> {
    const { requests, target } = this.#read(kind, args);
    this.#pending += 1;
    try {
      await this.#add(kind, requests, target);
    } finally {
      this.#pending -= 1;
      this.#endIterations();
    }
  }

  async #add(
    kind: SubscriptionKind,
    requests: readonly SubscribeRequest<E>[],
    target: SubscriptionTarget,
  ): Promise<void> {
    const { registry, reconciler, dispatcher, topology, lifecycle } = this.engine;
    await lifecycle.connect();
    if (target !== 'home' && target !== 'all-masters' && !topology.knows(target)) {
      await topology.assertKnown([target]);
    }
    lifecycle.assertNotClosed();
    if (kind.name === 'shard' && !this.engine.sharded()) {
      throw new ShardedUnsupportedError();
    }
    for (const { name } of requests) {
      assertSameTarget(registry.get(kind.name, channelKey(name)), target);
    }
    const wanted = requests.map(({ name, handler }) => {
      let subscription = registry.get(kind.name, channelKey(name));
      if (subscription === undefined) {
        subscription = this.engine.create(kind, name, target);
        registry.add(subscription);
      }
      subscription.handleWith(handler);
      return subscription;
    });
    // All are awaited even if one fails: the others are kept, and no rejection stays unhandled.
    const results = await Promise.allSettled(
      wanted.map((subscription) =>
        reconciler.add(subscription, () =>
          dispatcher.confirm(kind.subscribed, subscription.name, registry.confirm(subscription)),
        ),
      ),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  /** Without arguments it removes all of the kind; an empty list names none. */
  async remove(kind: SubscriptionKind, args: readonly NamesArgument[]): Promise<void> {
    const { registry, reconciler, dispatcher, lifecycle } = this.engine;
    const names = flattenNames(args);
    lifecycle.assertNotClosed();
    try {
      await lifecycle.connecting;
    } catch {
      // Nothing is active then; the desired subscriptions are still to be removed.
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
  ): ReturnType<typeof readSubscription<E>> & { readonly target: SubscriptionTarget } {
    const { requests, target } = readSubscription(args);
    if (kind.name !== 'shard') {
      return { requests, target: target ?? this.engine.node ?? 'home' };
    }
    if (target !== undefined) {
      throw new InvalidArgumentError(
        "`nodes` is not supported for shard channels: they are bound to their slot's master.",
      );
    }
    return { requests, target: 'home' };
  }

  /** Ends `listen()` when nothing more can arrive. */
  #endIterations(): void {
    if (!this.any) {
      this.engine.dispatcher.wakeIterations();
    }
  }
}

/** A name has one target: messages do not say which of several subscriptions they are for. */
function assertSameTarget(existing: Subscription | undefined, target: SubscriptionTarget): void {
  if (existing !== undefined && existing.target !== target) {
    const where = existing.target === 'home' ? 'on its owner node' : `on ${existing.target}`;
    throw new InvalidArgumentError(
      `"${existing.text}" is already subscribed ${where}. Unsubscribe it before subscribing it elsewhere.`,
    );
  }
}
