import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Histogram, MeterProvider, type MetricData, MetricReader } from '@opentelemetry/sdk-metrics';
import { ClusterPubSubMeter } from '../../../src/opentelemetry/index.js';
import { outcome, transports } from '../../support/transports.js';
import { KnownTraffic, SLOW } from './known-traffic.js';

/** Collects when it is asked to. */
class OnDemandReader extends MetricReader {
  async read(): Promise<readonly MetricData[]> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

const documented = [
  ...readFileSync(join(process.cwd(), 'docs/observability.md'), 'utf8').matchAll(
    /^\|[^|]+\|[^|]+\| `(cluster_pubsub\.[\w.]+)` +\| `([^`]+)`/gm,
  ),
].map(([, name, unit]) => [name!, unit!]);

describe('what OpenTelemetry collects', () => {
  const reader = new OnDemandReader();
  const provider = new MeterProvider({ readers: [reader] });
  const traffic = new KnownTraffic(transports());
  const meter = new ClusterPubSubMeter({ meter: provider.getMeter('test') });
  let collected: readonly MetricData[];

  beforeAll(async () => {
    meter.watch(traffic.server, 'server').watch(traffic.client, 'client').watch(traffic.engine, 'engine');
    await traffic.send();
    collected = await reader.read();
  });

  afterAll(async () => {
    meter.close();
    await traffic.close();
    await provider.shutdown();
  });

  it('are all instruments that are documented, with their units, and no others', () => {
    expect(documented.length).toBeGreaterThan(30);
    const found = collected.map(({ descriptor: { name, unit } }) => [name, unit]);
    expect(found.sort()).toEqual([...documented].sort());
  });

  it('says what the traffic was, source by source', () => {
    for (const [name, values] of Object.entries(traffic.expected)) {
      const metric = collected.find(({ descriptor }) => descriptor.name === `cluster_pubsub.${name}`);
      for (const [source, value] of Object.entries(values)) {
        const point = metric?.dataPoints.find(({ attributes }) => attributes.source === source);
        expect([name, source, point?.value]).toEqual([name, source, value]);
      }
    }
  });

  it('has the time of each handler, in seconds', () => {
    const metric = collected.find(({ descriptor }) => descriptor.name === 'cluster_pubsub.handler.duration');
    const points = metric!.dataPoints.map(({ attributes, value }) => ({
      handler: `${String(attributes.pattern)} ${String(attributes.type)}`,
      ...(value as Histogram),
    }));
    expect(Object.fromEntries(points.map(({ handler, count }) => [handler, count]))).toEqual(traffic.handled);
    const slow = points.find(({ handler }) => handler === 'slow request');
    expect(slow!.sum).toBeGreaterThan((SLOW - 2) / 1_000);
    expect(slow!.sum).toBeLessThan(5);
    expect(slow!.buckets.boundaries[0]).toBe(0.0001);
  });

  it('counts on until the meter is closed, and no further', async () => {
    const requests = async () => {
      const metric = (await reader.read()).find(
        ({ descriptor }) => descriptor.name === `cluster_pubsub.requests`,
      );
      return metric!.dataPoints[0]!.value;
    };
    await outcome(traffic.client.send('double', 1));
    expect(await requests()).toBe(traffic.expected.requests!.client! + 1);
    meter.close();
    const timed = traffic.server.metrics().handlerTime?.count;
    await outcome(traffic.client.send('double', 1));
    expect(await requests()).toBe(traffic.expected.requests!.client! + 1);
    expect(traffic.server.metrics().handlerTime?.count).toBe(timed);
  });
});
