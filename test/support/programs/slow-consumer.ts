// A subscriber that stops reading at the message `block`, until a file appears, and then prints the gap event.
import { existsSync } from 'node:fs';
import { ClusterPubSub } from '../../../src/pubsub/index.js';

const [nodes, channel, file] = process.argv.slice(2) as [string, string, string];

const pubsub = new ClusterPubSub({ nodes: JSON.parse(nodes) });
pubsub.on('gap', (gap) => {
  console.log(JSON.stringify({ gap, metrics: pubsub.metrics() }));
  void pubsub.close();
});
await pubsub.ssubscribe({
  [channel]: ({ data }) => {
    if (data !== 'block') return;
    console.log('blocked');
    const clock = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(file)) Atomics.wait(clock, 0, 0, 5);
  },
});
console.log('ready');
