import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { startProgram } from '../../support/programs.js';
import type { ReportedSpan } from '../../support/programs/reported-span.js';
import { transports } from '../../support/transports.js';

const harness = transports();
const children: ChildProcess[] = [];

function start(role: string): ChildProcess {
  const program = 'test/support/programs/traced-process.ts';
  const child = startProgram(program, [JSON.stringify([role, harness.options()])], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

/** What the process says next; rejects if it ends without a word. */
function said(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`It has ended with ${String(code)}.`)));
  });
}

describe('a trace across three processes', () => {
  let answer: unknown;
  let spans: readonly ReportedSpan[];

  beforeAll(async () => {
    const [b, a, gateway] = ['b', 'a', 'gateway'].map(start) as [ChildProcess, ChildProcess, ChildProcess];
    await Promise.all([b, a, gateway].map(said));
    gateway.send('checkout');
    answer = await said(gateway);
    // In this order: what closes first has handed on all that it got.
    const reports: ReportedSpan[] = [];
    for (const child of [gateway, a, b]) {
      child.send('end');
      reports.push(...((await said(child)) as ReportedSpan[]));
    }
    spans = reports;
  }, 60_000);

  afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

  const span = (name: string): ReportedSpan => {
    const [found, ...more] = spans.filter((one) => one.name === name);
    expect([name, found !== undefined, more]).toEqual([name, true, []]);
    return found!;
  };

  /** From a span up to its root, by the links alone. */
  const wayUp = (name: string): string[] => {
    const way: string[] = [];
    for (let one: ReportedSpan | undefined = span(name); one !== undefined;) {
      way.push(`${one.process}: ${one.name}`);
      const { parent }: ReportedSpan = one;
      one = spans.find(({ spanId }) => spanId === parent);
    }
    return way;
  };

  it('leads from the gateway through both services to what the last handler does', () => {
    expect(answer).toBe('reserved 7');
    expect(wayUp('SELECT stock')).toEqual([
      'b: SELECT stock',
      'b: process b.reserve',
      'a: send b.reserve',
      'a: process a.checkout',
      'gateway: send a.checkout',
      'gateway: GET /checkout',
    ]);
  });

  it('has the event that a handler emits on the way as a branch of its own', () => {
    expect(wayUp('process b.audit')).toEqual([
      'b: process b.audit',
      'a: publish b.audit',
      'a: process a.checkout',
      'gateway: send a.checkout',
      'gateway: GET /checkout',
    ]);
    expect(span('process b.audit').events).toEqual(['audited']);
  });

  it('is one trace, and the next request is another', () => {
    const { traceId } = span('GET /checkout');
    const ofIt = spans.filter((one) => one.traceId === traceId);
    expect(ofIt).toHaveLength(8);
    expect(new Set(ofIt.map(({ process }) => process))).toEqual(new Set(['gateway', 'a', 'b']));
    expect(span('GET /refused').traceId).not.toBe(traceId);
    expect(span('process b.refuse').traceId).toBe(span('GET /refused').traceId);
    expect(spans).toHaveLength(11);
  });

  it('distinguishes requests from events, and requesters from handlers, by the kinds of its spans', () => {
    expect(span('send a.checkout').kind).toBe(SpanKind.CLIENT);
    expect(span('process a.checkout').kind).toBe(SpanKind.SERVER);
    expect(span('publish b.audit').kind).toBe(SpanKind.PRODUCER);
    expect(span('process b.audit').kind).toBe(SpanKind.CONSUMER);
    expect(span('process b.reserve').attributes).toEqual({
      'messaging.system': 'redis',
      'messaging.destination.name': 'b.reserve',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'request',
      'cluster_pubsub.outcome': 'done',
    });
  });

  it('marks what failed at both ends, and never with the text of an error', () => {
    for (const name of ['send b.refuse', 'process b.refuse']) {
      expect(span(name).status).toBe(SpanStatusCode.ERROR);
      expect(span(name).attributes).toMatchObject({ 'cluster_pubsub.outcome': 'failed' });
      expect(span(name).attributes['error.type']).toEqual(expect.any(String));
    }
    expect(span('send a.checkout').status).toBe(SpanStatusCode.UNSET);
    expect(JSON.stringify(spans)).not.toContain('secret');
  });
});
