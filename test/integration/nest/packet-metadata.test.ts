import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSubClient, ClusterPubSubContext, ClusterPubSubRecordBuilder } from '../../../src/index.js';
import { type HybridApp, nestApps } from '../../support/nest-apps.js';
import { Signal } from '../../support/waiting.js';

let recorded = new Signal<unknown>();

@Controller()
class MetadataController {
  @MessagePattern('metadata.echo')
  echo(@Payload() data: unknown, @Ctx() context: ClusterPubSubContext): unknown {
    return { data, metadata: context.getMetadata() ?? null, headers: context.getHeaders() };
  }

  @EventPattern<string>('metadata.record')
  record(@Payload() data: unknown, @Ctx() context: ClusterPubSubContext): void {
    recorded.resolve({ data, metadata: context.getMetadata() ?? null });
  }
}

const apps = nestApps();
let hybrid: HybridApp;
let client: ClusterPubSubClient;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [MetadataController] });
  client = hybrid.client;
});

afterEach(() => client.setOnDispatchHook(() => undefined));

describe('what a dispatch hook attaches to a packet', () => {
  it('is in the context of the request handler, beside the data', async () => {
    client.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-1' };
    });
    expect(await lastValueFrom(client.send('metadata.echo', { order: 7 }))).toEqual({
      data: { order: 7 },
      metadata: { traceparent: '00-1' },
      headers: {},
    });
  });

  it('is in the context of the event handler too', async () => {
    recorded = new Signal();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-2' };
    });
    client.emit('metadata.record', { order: 8 });
    expect(await recorded.promise).toEqual({ data: { order: 8 }, metadata: { traceparent: '00-2' } });
  });

  it('travels with the headers of a record, and with bytes', async () => {
    client.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-3' };
    });
    const record = new ClusterPubSubRecordBuilder('data').setHeaders({ tenant: 'acme' }).build();
    expect(await lastValueFrom(client.send('metadata.echo', record))).toEqual({
      data: 'data',
      metadata: { traceparent: '00-3' },
      headers: { tenant: 'acme' },
    });
    expect(await lastValueFrom(client.send('metadata.echo', Buffer.from([0])))).toMatchObject({
      metadata: { traceparent: '00-3' },
    });
  });

  it('is empty without a hook', async () => {
    const other = apps.add(new ClusterPubSubClient(apps.options()));
    expect(await lastValueFrom(other.send('metadata.echo', 'plain'))).toEqual({
      data: 'plain',
      metadata: null,
      headers: {},
    });
  });
});

describe('a dispatch hook', () => {
  it('is called once a packet, with its pattern and its data', async () => {
    const seen: unknown[] = [];
    client.setOnDispatchHook(({ pattern, data }) => void seen.push({ pattern, data }));
    await lastValueFrom(client.send('metadata.echo', 1));
    await lastValueFrom(client.send('metadata.echo', 2));
    await lastValueFrom(client.emit('metadata.record', 3), { defaultValue: undefined });
    expect(seen).toEqual([
      { pattern: 'metadata.echo', data: 1 },
      { pattern: 'metadata.echo', data: 2 },
      { pattern: 'metadata.record', data: 3 },
    ]);
  });
});
