import { setTimeout as sleep } from 'node:timers/promises';
import { firstValueFrom, interval, lastValueFrom, take } from 'rxjs';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import {
  type ClusterPubSubClient,
  ClusterPubSubRecordBuilder,
  type ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { addHandlers, type Transports, listen, outcome } from '../../support/transports.js';
import { eventually } from '../../support/waiting.js';

/** How long the handler of `slow` takes, in ms. */
export const SLOW = 40;

/** A server, a client and an engine, and what they are to have counted when {@link send} is over. */
export class KnownTraffic {
  readonly server: ClusterPubSubServer;
  readonly client: ClusterPubSubClient;
  readonly engine = new ClusterPubSub(
    { nodes: sharedCluster() },
    { bufferLimit: 3, ignoreSubscribeMessages: true },
  );

  /** By metric, as {@link METRICS} names them, and by source. What traffic of this kind cannot tell is left out. */
  readonly expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    requests: { client: 10 },
    'requests.timeouts': { client: 1 },
    'requests.no_subscribers': { client: 1 },
    'requests.gaps': { client: 0 },
    'requests.errors': { client: 1 },
    'requests.failed': { client: 1 },
    'requests.cancelled': { client: 1 },
    'requests.in_flight': { client: 1 },
    emitted: { client: 3 },
    // double ×3, slow, fail, count, and hang ×2: one that timed out, one that is in flight.
    'handled.requests': { server: 8 },
    'handled.events': { server: 3 },
    'handled.no_handler': { server: 0 },
    'handler.errors': { server: 2 },
    'handlers.running': { server: 2 },
    malformed: { server: 1, client: 0 },
    published: { engine: 5 },
    'publish.errors': { engine: 0, server: 0, client: 0 },
    received: { engine: 5 },
    dropped: { engine: 2, server: 0, client: 0 },
    gaps: { server: 0, client: 0 },
    'connections.lost': { engine: 0, server: 0, client: 0 },
    reconnects: { engine: 0, server: 0, client: 0 },
    moved: { engine: 0, server: 0, client: 0 },
    missed: { engine: 0, server: 0, client: 0 },
    'publishes.waiting': { engine: 0, server: 0, client: 0 },
    'subscriptions.desired': { engine: 1 },
    'subscriptions.confirmed': { engine: 1 },
  };

  /** Handlers that have ended, by pattern and type. */
  readonly handled: Readonly<Record<string, number>> = {
    'double request': 3,
    'slow request': 1,
    'fail request': 1,
    'count request': 1,
    'told event': 2,
    'broken event': 1,
  };

  constructor(private readonly harness: Transports) {
    this.server = harness.newServer();
    addHandlers(this.server, {
      double: (n: number) => n * 2,
      slow: () => sleep(SLOW, 'at last'),
      fail: () => {
        throw new Error('a broken handler');
      },
      hang: () => new Promise(() => undefined),
      count: () => interval(1),
      'event:told': () => undefined,
      'event:broken': () => {
        throw new Error('a broken event handler');
      },
    });
    this.client = harness.client();
  }

  /** Resolves when all of it has been counted. */
  async send(): Promise<void> {
    const { client, server, engine, harness } = this;
    await listen(server);
    for (let n = 0; n < 3; n += 1) await lastValueFrom(client.send('double', n));
    await lastValueFrom(client.send('slow', 1));
    await outcome(client.send('fail', 1));
    await outcome(client.send('nobody is there', 1));
    await outcome(client.send('hang', new ClusterPubSubRecordBuilder(1).setTimeout(100).build()));
    await firstValueFrom(client.send('count', 1).pipe(take(1)));
    await outcome(client.send('double', 'x'.repeat(1_100_000)));
    client.send('hang', 1).subscribe({ error: () => undefined });
    await lastValueFrom(client.emit('told', 1));
    await lastValueFrom(client.emit('told', 2));
    await lastValueFrom(client.emit('broken', 3));
    await harness.redis().publish(`${harness.prefix}double`, 'no packet');

    const channel = `${harness.prefix}engine`;
    await engine.subscribe(channel);
    for (let n = 0; n < 5; n += 1) await engine.publish(channel, String(n));

    await eventually(() => {
      const { requests, events, malformed, running, failed } = server.metrics();
      return requests === 8 && events === 3 && malformed === 1 && running === 2 && failed === 2;
    }, 'the server has counted all');
    await eventually(() => engine.metrics().received === 5, 'the engine has got all');
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.harness.close();
  }
}
