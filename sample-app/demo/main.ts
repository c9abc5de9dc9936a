import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type LocalCluster, startLocalCluster } from 'nestjs-cluster-pubsub/testing';
import { Account } from './account.js';
import { runFailover } from './failover.js';
import { runScenario } from './scenario.js';
import { Shop } from './shop.js';

/** Time limit for the cluster, the shop and the scenario together, in ms. */
const deadline = 120_000;
const prefix = 'shop:';

/**
 * Runs the demo: a real cluster, the shop on it, the scenario; then it stays up until Ctrl-C, unless `once`. Leaves
 * nothing running. Resolves with the exit code: 0 when every check passed.
 */
export async function runDemo({ once: onlyOnce }: { once: boolean }): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Stopped(`Stopped by ${signal}.`)));
  }
  const timer = setTimeout(
    () => stop.abort(new Error(`The demo did not finish within ${deadline / 1_000} s.`)),
    deadline,
  );
  const stage = new Stage();
  const { signal } = stop;
  try {
    const passed = await unlessAborted(signal, stage.play(signal));
    clearTimeout(timer);
    if (!onlyOnce) {
      console.log(`\nThe shop is open at ${stage.url} (Ctrl-C closes it).`);
      if (!signal.aborted) await once(signal, 'abort');
    }
    return passed ? 0 : 1;
  } catch (error) {
    console.error(`\n${(error as Error).message}`);
    return error instanceof Stopped ? 130 : 1;
  } finally {
    clearTimeout(timer);
    await stage.clear();
  }
}

/** Ends the demo on request; not a failure. */
class Stopped extends Error {}

/** The cluster and the shop of the demo. */
class Stage {
  private cluster: Promise<LocalCluster> | undefined;
  private shop: Promise<Shop> | undefined;
  url = '';

  /**
   * Resolves with whether every check passed.
   *
   * @throws the reason of the signal soon after it is aborted; call `clear()` then.
   */
  async play(signal: AbortSignal): Promise<boolean> {
    const clusterStarted = performance.now();
    this.cluster = startLocalCluster({ masters: 3, replicas: 1 });
    const cluster = await this.cluster;
    signal.throwIfAborted();
    const ports = async (nodes: Promise<readonly { port: number }[]>) =>
      (await nodes).map(({ port }) => port).join(', ');
    console.log(`\nA Redis Cluster on 127.0.0.1, formed in ${since(clusterStarted)}:`);
    console.log(
      `  masters   ${await ports(cluster.masters())}\n  replicas  ${await ports(cluster.replicas())}`,
    );

    const shopStarted = performance.now();
    const folder = fileURLToPath(new URL('..', import.meta.url));
    this.shop = Shop.open({ nodes: cluster.nodes, prefix, folder });
    const shop = await this.shop;
    signal.throwIfAborted();
    this.url = shop.url;
    console.log(`\nThe shop, three processes, ready in ${since(shopStarted)}:`);
    console.log(`  gateway        pid ${shop.pidOf('gateway')}, ${shop.url}`);
    console.log(`  orders         pid ${shop.pidOf('orders')}`);
    console.log(`  notifications  pid ${shop.pidOf('notifications')}\n`);

    const account = new Account(signal);
    await runScenario(shop, account);
    await runFailover(cluster, shop, account);
    if (account.hasFailures) console.log(`\nWhat the services printed:\n${shop.lastWords}`);
    console.log(`\n${account.summary}`);
    return !account.hasFailures;
  }

  /** Ends everything, including processes that are still starting. */
  async clear(): Promise<void> {
    const [shop, cluster] = await Promise.allSettled([this.shop, this.cluster]);
    if (shop.status === 'fulfilled') {
      const codes = (await shop.value?.close()) ?? [];
      if (codes.some((code) => code !== 0)) console.log(`Exit codes of the services: ${codes.join(', ')}`);
    }
    if (cluster.status === 'fulfilled') await cluster.value?.stop();
  }
}

function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
  return Promise.race([work, aborted]);
}

function since(start: number): string {
  return `${((performance.now() - start) / 1_000).toFixed(1)} s`;
}
