// One process of a trace, under the OpenTelemetry SDK: a gateway that asks, or one of two Nest services. It reports the
// spans of its own before it ends.
import 'reflect-metadata';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { lastValueFrom, type Observable } from 'rxjs';
import {
  ClusterPubSubClient,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
  InjectClusterPubSubClient,
} from '../../../src/index.js';
import { instrumentClient, instrumentServer } from '../../../src/opentelemetry/index.js';
import type { ReportedSpan } from './reported-span.js';

const [role, options] = JSON.parse(process.argv[2] ?? '') as [string, ClusterPubSubOptions];
const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
const tracer = trace.getTracer('application');

@Controller()
class ServiceA {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @MessagePattern('a.checkout')
  checkout(@Payload() order: { id: number }): Observable<string> {
    this.client.emit('b.audit', order);
    return this.client.send<string>('b.reserve', order);
  }
}

@Controller()
class ServiceB {
  @MessagePattern('b.reserve')
  reserve(@Payload() order: { id: number }): Promise<string> {
    return tracer.startActiveSpan('SELECT stock', async (span) => {
      await Promise.resolve();
      span.end();
      return `reserved ${String(order.id)}`;
    });
  }

  @MessagePattern('b.refuse')
  refuse(): never {
    throw new Error('out of stock, said with a secret');
  }

  @EventPattern<string>('b.audit')
  audit(): void {
    trace.getActiveSpan()?.addEvent('audited');
  }
}

let close: () => Promise<unknown>;
if (role === 'gateway') {
  const client = new ClusterPubSubClient(options);
  instrumentClient(client);
  await client.connect();
  close = () => client.close();
  process.on('message', (message) => {
    if (message === 'checkout') void checkout(client);
  });
} else {
  const app = await service(role === 'a' ? ServiceA : ServiceB);
  close = () => app.close();
}
process.on('message', (message) => {
  if (message === 'end') void end();
});
process.send?.('ready');

async function service(controller: new (...args: never[]) => object): Promise<INestMicroservice> {
  @Module({ imports: [ClusterPubSubModule.forRoot(options)], controllers: [controller] })
  class ServiceModule {}

  const server = new ClusterPubSubServer(options);
  instrumentServer(server);
  const app = await NestFactory.createMicroservice(ServiceModule, { strategy: server, logger: false });
  instrumentClient(app.get(ClusterPubSubClient));
  await app.listen();
  return app;
}

/** Two requests of a shopper: one that goes well, and one that does not. */
async function checkout(client: ClusterPubSubClient): Promise<void> {
  const answer = await tracer.startActiveSpan('GET /checkout', async (span) => {
    const reply = await lastValueFrom(client.send<string>('a.checkout', { id: 7 }));
    span.end();
    return reply;
  });
  await tracer.startActiveSpan('GET /refused', async (span) => {
    await lastValueFrom(client.send('b.refuse', { id: 8 })).catch(() => undefined);
    span.end();
  });
  process.send?.(answer);
}

async function end(): Promise<void> {
  await close();
  const spans = exporter.getFinishedSpans().map((span): ReportedSpan => ({
    process: role,
    name: span.name,
    kind: span.kind,
    status: span.status.code,
    attributes: span.attributes,
    events: span.events.map(({ name }) => name),
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId,
  }));
  process.send?.(spans, () => process.disconnect());
}
