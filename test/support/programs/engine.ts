// A program that uses the engine in one of several ways and then has nothing more to do: does it end by itself?
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import { sharedCluster } from '../shared-cluster.js';

const channel = `program:${process.pid}`;

const scenarios: Record<string, () => Promise<void>> = {
  close: async () => {
    const pubsub = new ClusterPubSub({ nodes: sharedCluster() });
    await pubsub.subscribe(channel);
    await pubsub.psubscribe(`${channel}*`);
    await pubsub.ssubscribe(channel);
    await pubsub.publish(channel, 'x');
    void pubsub.getMessage({ timeout: 60_000 });
    await pubsub.close();
  },
  'close-while-connecting': async () => {
    const pubsub = new ClusterPubSub({ nodes: sharedCluster() });
    const subscribing = pubsub.subscribe(channel).catch(() => undefined);
    await pubsub.close();
    await subscribing;
  },
  'close-while-hanging': async () => {
    const server = createServer(() => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const pubsub = new ClusterPubSub({ nodes: [{ port: (server.address() as AddressInfo).port }] });
    const connecting = pubsub.connect().catch(() => undefined);
    await once(server, 'connection');
    await pubsub.close();
    await connecting;
    server.close();
  },
  'await-using': async () => {
    await using pubsub = new ClusterPubSub({ nodes: sharedCluster() });
    await pubsub.subscribe(channel);
  },
  forgotten: async () => {
    await new ClusterPubSub({ nodes: sharedCluster() }).subscribe({
      [channel]: ({ data }) => console.log(data),
    });
    console.log(channel);
  },
  refused: async () => {
    const pubsub = new ClusterPubSub({ nodes: [{ port: 1 }], connectTimeout: 100 });
    await pubsub.connect().catch(() => undefined);
  },
  'throwing-listener': async () => {
    process.on('uncaughtException', (error) => console.log(`uncaught: ${error.message}`));
    const pubsub = new ClusterPubSub({ nodes: sharedCluster() });
    pubsub.on('error', () => {
      throw new Error('from the listener');
    });
    const received = new Promise<void>((resolve, reject) => {
      pubsub.on('interrupted', () => reject(new Error('The connection was lost.')));
      void pubsub.subscribe({
        [channel]: ({ data }) => {
          if (data === 'bad') throw new Error('from the handler');
          console.log(`received: ${data}`);
          resolve();
        },
      });
    });
    await pubsub.subscribe(`${channel}:other`);
    await pubsub.publish(channel, 'bad');
    await pubsub.publish(channel, 'still here');
    await received;
    await pubsub.close();
  },
};

const scenario = scenarios[process.argv[2] ?? ''];
if (scenario === undefined) throw new Error(`No scenario "${process.argv[2]}".`);
await scenario();
console.log('done');
