import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { CONTEXT, EventPattern, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { type ClusterPubSubContext, ClusterPubSubRecordBuilder } from '../../../src/index.js';
import { type HybridApp, nestApps } from '../../support/nest-apps.js';
import { Signal } from '../../support/waiting.js';

let instances = 0;
const greeted = new Signal<string>();

@Injectable({ scope: Scope.REQUEST })
class Tenant {
  readonly number = ++instances;

  constructor(@Inject(CONTEXT) private readonly request: RequestContext<unknown, ClusterPubSubContext>) {}

  get name(): string {
    return this.request.getContext().getHeaders().tenant ?? 'nobody';
  }

  get data(): unknown {
    return this.request.getData();
  }
}

@Controller()
class TenantController {
  constructor(@Inject(Tenant) private readonly tenant: Tenant) {}

  @MessagePattern('tenant.whoami')
  async whoAmI(@Payload() ms: number): Promise<unknown> {
    const { number } = this.tenant;
    await sleep(ms);
    return { name: this.tenant.name, data: this.tenant.data, same: number === this.tenant.number, number };
  }

  @EventPattern<string>('tenant.greeted')
  onGreeted(): void {
    greeted.resolve(this.tenant.name);
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [TenantController], providers: [Tenant] });
});

function as<T>(tenant: string, data: T) {
  return new ClusterPubSubRecordBuilder(data).setHeaders({ tenant }).build();
}

describe('a request-scoped provider', () => {
  it('is made anew for each message, and knows whose it is, with many on the way at once', async () => {
    const before = instances;
    const names = Array.from({ length: 20 }, (_, i) => `tenant ${i}`);
    const answers = await Promise.all(
      names.map((name, i) =>
        lastValueFrom(hybrid.client.send<Record<string, unknown>>('tenant.whoami', as(name, 20 - i))),
      ),
    );
    expect(answers).toEqual(
      names.map((name, i) => ({ name, data: 20 - i, same: true, number: expect.any(Number) })),
    );
    expect(new Set(answers.map(({ number }) => number)).size).toBe(20);
    expect(instances - before).toBe(20);
  });

  it('serves event handlers too', async () => {
    hybrid.client.emit('tenant.greeted', as('acme', 'hello'));
    expect(await greeted.promise).toBe('acme');
  });
});
