import type { Delivery, Evidence, Publication, SubscriberEvidence } from './evidence.js';
import { covers } from './traffic-plan.js';
import type { Channel, Subscription } from './peer.js';

/** The messages of one publisher on one channel, as one subscription of one subscriber should receive them. */
export interface Stream {
  readonly subscriber: SubscriberEvidence;
  readonly subscription: Subscription;
  readonly publisher: string;
  readonly channel: Channel;
  /** By number. */
  readonly publications: readonly Publication[];
  /** In the order of their arrival. */
  readonly deliveries: readonly Delivery[];
}

/** Sorts the evidence into streams, one for each subscriber, subscription, channel and publisher. */
export function streamsOf({ publications, subscribers }: Evidence): Stream[] {
  const published = groupBy(publications, ({ channel, publisher }) =>
    key(publisher, channel.kind, channel.name),
  );
  const sources = [...published.values()].map((list) => list.sort((a, b) => a.n - b.n));
  return subscribers.flatMap((subscriber) => {
    const delivered = groupBy(subscriber.deliveries, ({ subscription, channel, publisher }) =>
      key(publisher, subscription.kind, subscription.name, channel),
    );
    return sources.flatMap((list) => {
      const { channel, publisher } = list[0] as Publication;
      return subscriber.subscriptions
        .filter((subscription) => covers(subscription, channel))
        .map((subscription): Stream => {
          const deliveries =
            delivered.get(key(publisher, subscription.kind, subscription.name, channel.name)) ?? [];
          return { subscriber, subscription, publisher, channel, publications: list, deliveries };
        });
    });
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = keyOf(item);
    const list = groups.get(group);
    if (list === undefined) groups.set(group, [item]);
    else list.push(item);
  }
  return groups;
}

function key(...parts: readonly string[]): string {
  return parts.join('\n');
}
