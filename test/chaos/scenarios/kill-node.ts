import type { Address } from '../nodes.js';
import type { Stage } from '../stage.js';

/** Kills a master, waits for the promotion of its replica, and starts the master again as a replica. */
export async function killAndBringBack(stage: Stage, master: Address): Promise<void> {
  const { cluster } = stage;
  const replicas = await cluster.replicasOf(master);
  stage.fault(`kill -9 of master ${master.port}`);
  await cluster.kill(master);
  await stage.promotion(replicas);
  await cluster.settled();
  await stage.traffic(2_000);
  stage.note(`${master.port} starts again`);
  await cluster.restart(master);
}
