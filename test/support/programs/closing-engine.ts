// A program that closes its engine during a fault that its parent causes, and then has nothing more to do.
import { once } from 'node:events';
import { ClusterPubSub, type ClusterConnectionOptions } from '../../../src/pubsub/index.js';
import { eventually } from '../waiting.js';

const [scenario, given, channel] = process.argv.slice(2) as [string, string, string];
const nodes = JSON.parse(given) as NonNullable<ClusterConnectionOptions['nodes']>;
const outcomes: string[] = [];
const pending: Promise<void>[] = [];

/** Asks the parent for its fault; resolves when it has begun. */
async function fault(): Promise<void> {
  process.send!('ready');
  await once(process, 'message');
}

function open(options: Partial<ClusterConnectionOptions> = {}, sequence = false): ClusterPubSub {
  return new ClusterPubSub(
    { nodes, commandTimeout: 1_000, shutdownGracePeriod: 300, ...options },
    { sequence },
  );
}

/** Records the outcome of promises, from the start: an unhandled rejection would end the program. */
function watch(...promises: readonly Promise<unknown>[]): void {
  for (const promise of promises) {
    const settled = promise.then(
      () => void outcomes.push('resolved'),
      (error: unknown) => void outcomes.push((error as { code: string }).code),
    );
    pending.push(settled);
  }
}

function publish(pubsub: ClusterPubSub, count: number): void {
  for (let i = 0; i < count; i += 1) watch(pubsub.spublish(channel, String(i)));
}

const scenarios: Record<string, () => Promise<ClusterPubSub>> = {
  connecting: async () => {
    const pubsub = open();
    await fault(); // all nodes are paused
    watch(pubsub.connect(), pubsub.subscribe(channel), pubsub.publish(channel, ''));
    await new Promise((resolve) => setTimeout(resolve, 50));
    return pubsub;
  },

  'a paused node': async () => {
    const pubsub = open();
    await pubsub.ssubscribe(channel);
    await pubsub.spublish(channel, '');
    await fault();
    publish(pubsub, 100);
    watch(pubsub.ssubscribe(`more:{${channel}}`), pubsub.pubsubNumsub(channel));
    return pubsub;
  },

  'a dead node': async () => {
    const pubsub = open({ commandTimeout: 30_000 });
    await pubsub.ssubscribe(channel);
    await pubsub.spublish(channel, '');
    const lost = once(pubsub, 'interrupted');
    await fault();
    await lost;
    await eventually(() => {
      publish(pubsub, 10);
      return pubsub.metrics().waiting >= 10;
    }, 'messages wait');
    return pubsub;
  },

  'a hold': async () => {
    const pubsub = open({ slotMigrationTimeout: 30_000 }, true);
    await pubsub.connect();
    // The parent has a subscriber that does not follow its slot.
    await eventually(async () => (await pubsub.spublish(channel, '')) === 1, 'a subscriber is counted');
    await fault();
    await eventually(() => {
      publish(pubsub, 10);
      return pubsub.metrics().migrationPauses > 0 && pubsub.metrics().waiting >= 10;
    }, 'messages are held');
    return pubsub;
  },

  'a handover': async () => {
    const pubsub = open();
    await pubsub.subscribe(channel);
    const from = pubsub.nodeOf(channel);
    await fault();
    // For a moment it is subscribed at both nodes.
    await eventually(async () => {
      const counts = await pubsub.pubsubNumsub(channel, { aggregate: false });
      return [...counts].some(([node, count]) => node !== from && count.get(channel) === 1);
    }, 'the new node has it');
    return pubsub;
  },

  'messages in flight': async () => {
    const pubsub = open({}, true);
    await pubsub.ssubscribe(channel);
    await pubsub.spublish(channel, ''); // connects: what waits for that is not in flight
    await fault();
    publish(pubsub, 5_000);
    return pubsub;
  },
};

const pubsub = await scenarios[scenario]!();
const startedAt = performance.now();
await pubsub.close();
const took = performance.now() - startedAt;
await Promise.race([Promise.all(pending), new Promise((resolve) => setTimeout(resolve, 100).unref())]);
process.send!({ took, pending: pending.length, outcomes });
process.disconnect();
