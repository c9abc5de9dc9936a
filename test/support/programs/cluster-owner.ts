// A program that starts a cluster and never stops it. `stay`: runs until it is killed; `leave`: just ends.
import { startLocalCluster } from '../../../src/testing/index.js';

const cluster = await startLocalCluster({ masters: 3, replicas: 0 });
const pids = cluster.nodes.map((node) => cluster.pidOf(node));
console.log(JSON.stringify({ pids, folder: cluster.folder }));
if (process.argv[2] === 'stay') setInterval(() => undefined, 1_000);
