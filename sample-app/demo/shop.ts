import type { ClusterNode } from 'ioredis';
import { ServiceProcess, type ServiceName } from './service-process.js';

export interface ShopOptions {
  readonly nodes: readonly ClusterNode[];
  readonly prefix: string;
  /** The folder with the compiled services. */
  readonly folder: string;
  /** The request timeout of the services, in ms. */
  readonly requestTimeout?: number;
}

const names: readonly ServiceName[] = ['orders', 'notifications', 'gateway'];

/** The three services of the shop as processes, on an existing cluster. */
export class Shop {
  private readonly services = new Map<ServiceName, ServiceProcess>();

  private constructor(readonly options: ShopOptions) {}

  /** Resolves when all services are ready. */
  static async open(options: ShopOptions): Promise<Shop> {
    const shop = new Shop(options);
    const starts = await Promise.allSettled(names.map((name) => shop.start(name)));
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed !== undefined) {
      await shop.close();
      throw failed.reason;
    }
    return shop;
  }

  /** The HTTP address of the gateway. */
  get url(): string {
    return this.services.get('gateway')?.url ?? '';
  }

  /** The last lines that the services have printed. */
  get lastWords(): string {
    return [...this.services.values()]
      .map((service) => service.lastWords)
      .filter((words) => words !== '')
      .join('\n');
  }

  pidOf(name: ServiceName): number | undefined {
    return this.services.get(name)?.pid;
  }

  async start(name: ServiceName): Promise<void> {
    const { nodes, prefix, folder, requestTimeout } = this.options;
    const service = await ServiceProcess.start(name, `${folder}/${name}/main.js`, {
      CLUSTER_NODES: JSON.stringify(nodes),
      PREFIX: prefix,
      PORT: '0',
      ...(requestTimeout === undefined ? {} : { REQUEST_TIMEOUT: String(requestTimeout) }),
    });
    this.services.set(name, service);
  }

  /** Resolves with the exit code of the service; null when it had to be killed. */
  async stop(name: ServiceName): Promise<number | null> {
    return (await this.services.get(name)?.stop()) ?? null;
  }

  /** Ends all services; resolves with their exit codes. */
  close(): Promise<(number | null)[]> {
    return Promise.all([...this.services.keys()].map((name) => this.stop(name)));
  }
}
