import { afterEach, describe, expect, it } from '@jest/globals';
import type { ReadPacket, WritePacket } from '@nestjs/microservices';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { lastValueFrom, type Subscription } from 'rxjs';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import { ClusterPubSubClient } from '../../../src/transport/index.js';
import { transports } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

const harness = transports();
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const watched: ClusterPubSubClient[] = [];

afterEach(async () => {
  await Promise.all(watched.splice(0).map((client) => client.close()));
});

/** Tells when a request comes to be published, and what is kept of it. */
class WatchedClient extends ClusterPubSubClient {
  published = new Signal();
  readonly callbacks: WeakRef<(packet: WritePacket) => void>[] = [];

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    this.callbacks.push(new WeakRef(callback));
    const teardown = super.publish(packet, callback);
    this.published.resolve();
    return teardown;
  }
}

async function watchedClient(): Promise<WatchedClient> {
  const client = new WatchedClient(harness.options());
  watched.push(client);
  await client.connect();
  return client;
}

/** The channels of this file that anybody is subscribed to, inboxes among them. */
async function shardChannels(): Promise<string[]> {
  await using pubsub = new ClusterPubSub(harness.options());
  return await pubsub.pubsubShardChannels(`${harness.prefix}*`);
}

describe('a requester that unsubscribes', () => {
  it('before the client has connected: nothing is published', async () => {
    const asked: unknown[] = [];
    await harness.server({ ask: (data: unknown) => asked.push(data) });
    const client = harness.client();
    client.send('ask', 'left').subscribe().unsubscribe();
    await lastValueFrom(client.send('ask', 'stayed'));
    expect(asked).toEqual(['stayed']);
  });

  it('before its inbox is confirmed: nothing is published, for as many as do', async () => {
    const asked: unknown[] = [];
    await harness.server({ ask: (data: unknown) => asked.push(data) });
    const client = await watchedClient();
    const subscriptions: Subscription[] = Array.from({ length: 50 }, () =>
      client.send('ask', 'left').subscribe(),
    );
    await client.published.promise;
    subscriptions.forEach((subscription) => subscription.unsubscribe());
    // The inbox is active by now, and whatever waited for it would have been sent before this one.
    await lastValueFrom(client.send('ask', 'stayed'));
    expect(asked).toEqual(['stayed']);
  });

  it('takes what was kept of its request along', async () => {
    await harness.server({ ask: () => new Promise(() => undefined) }, { shutdownGracePeriod: 0 });
    const client = await watchedClient();
    const early = client.send('ask', 'left before the inbox stood').subscribe();
    await client.published.promise;
    early.unsubscribe();
    for (let i = 0; i < 20; i++) {
      client.published = new Signal();
      const late = client.send('ask', 'left while the handler ran').subscribe();
      await client.published.promise;
      late.unsubscribe();
    }
    await eventually(() => {
      collectGarbage();
      return client.callbacks.every((callback) => callback.deref() === undefined);
    }, 'nothing holds the callbacks any more');
    expect(client.callbacks).toHaveLength(21);
  });

  it('again and again leaves one inbox, and none when the client has closed', async () => {
    const client = await watchedClient();
    for (let i = 0; i < 20; i++) {
      client.published = new Signal();
      const subscription = client.send('nobody', i).subscribe({ error: () => undefined });
      await client.published.promise;
      subscription.unsubscribe();
    }
    await eventually(async () => (await shardChannels()).length === 1, 'the one inbox is active');
    await client.close();
    await eventually(async () => (await shardChannels()).length === 0, 'it is gone');
  });
});

describe('a client that closes', () => {
  it('before its first inbox is confirmed leaves none behind', async () => {
    const client = await watchedClient();
    const failed = new Signal<unknown>();
    client.send('nobody', 1).subscribe({ error: failed.resolve });
    await client.published.promise;
    await client.close();
    expect(await failed.promise).toMatchObject({ code: 'NO_SUBSCRIBERS' });
    await eventually(async () => (await shardChannels()).length === 0, 'no inbox is there');
  });
});
