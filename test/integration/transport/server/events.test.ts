import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, Observable, throwError } from 'rxjs';
import { ClusterPubSubRecordBuilder, type ClusterPubSubContext } from '../../../../src/transport/index.js';
import { addHandlers, listen, logged, outcome, transports } from '../../../support/transports.js';
import { eventually, Signal } from '../../../support/waiting.js';

const harness = transports();

/** Collects the data of handlers, and resolves when there is a given amount. */
class Collector {
  readonly got: unknown[] = [];
  #wanted = Infinity;
  #full = new Signal();

  readonly take = (data: unknown): void => {
    this.got.push(data);
    if (this.got.length >= this.#wanted) {
      this.#full.resolve();
    }
  };

  async of(count: number): Promise<unknown[]> {
    this.#wanted = count;
    this.#full = new Signal();
    if (this.got.length < count) {
      await this.#full.promise;
    }
    return this.got;
  }
}

describe('an event', () => {
  it('reaches exact and wildcard handlers of all servers, each once', async () => {
    const [exact, wild, other] = [new Collector(), new Collector(), new Collector()];
    await harness.server({ 'event:order.created': exact.take, 'event:order.*': wild.take });
    await harness.server({ 'event:order.created': other.take });
    const client = harness.client();
    await lastValueFrom(client.emit('order.created', 1));
    await lastValueFrom(client.emit('order.created', 2));
    for (const collector of [exact, wild, other]) {
      expect(await collector.of(2)).toEqual([1, 2]);
    }
  });

  it('is published whether or not anybody watches its Observable', async () => {
    const collector = new Collector();
    await harness.server({ 'event:e': collector.take });
    harness.client().emit('e', 'unwatched');
    expect(await collector.of(1)).toEqual(['unwatched']);
  });

  it('keeps its place among the events of its channel', async () => {
    const collector = new Collector();
    await harness.server({ 'event:e': collector.take });
    const client = harness.client();
    for (let i = 0; i < 3000; i++) {
      client.emit('e', i);
    }
    expect(await collector.of(3000)).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });

  it.each(['classic', 'sharded'] as const)('in %s mode reaches exact handlers, once', async (mode) => {
    const collector = new Collector();
    await harness.server({ 'event:e': collector.take });
    const client = harness.client({ mode });
    await lastValueFrom(client.emit('e', 1));
    await lastValueFrom(client.emit('e', 2));
    expect(await collector.of(2)).toEqual([1, 2]);
  });

  it('takes the mode that its record says', async () => {
    const [sharded, classic] = [new Collector(), new Collector()];
    const server = harness.newServer();
    server.addHandler('e', async (data) => sharded.take(data), true, { mode: 'sharded' });
    server.addHandler('e', async (data) => classic.take(data), true, { mode: 'classic' });
    await listen(server);
    const client = harness.client();
    const record = (data: string, mode: 'classic' | 'sharded') =>
      new ClusterPubSubRecordBuilder(data).setMode(mode).build();
    await lastValueFrom(client.emit('e', record('fast', 'sharded')));
    await lastValueFrom(client.emit('e', record('slow', 'classic')));
    expect(await sharded.of(1)).toEqual(['fast']);
    expect(await classic.of(1)).toEqual(['slow']);
  });

  it('runs all handlers of its pattern in one server, as Nest chains them', async () => {
    const server = harness.newServer();
    const collector = new Collector();
    // What Nest's controllers add: each handler calls the next.
    for (const name of ['one', 'two']) {
      const handler = async (data: unknown, context: unknown): Promise<void> => {
        collector.take([name, data]);
        await (handler as { next?: (...args: unknown[]) => unknown }).next?.(data, context);
      };
      server.addHandler('e', handler, true);
    }
    await listen(server);
    await lastValueFrom(harness.client().emit('e', 1));
    expect(await collector.of(2)).toEqual([
      ['one', 1],
      ['two', 1],
    ]);
  });

  it('brings bytes and headers along', async () => {
    const collector = new Collector();
    await harness.server({
      'event:e': (data: unknown, context: ClusterPubSubContext) =>
        collector.take([data, context.getHeaders()]),
    });
    const record = new ClusterPubSubRecordBuilder(Buffer.from([0, 255]))
      .setHeaders({ tenant: 'acme' })
      .build();
    await lastValueFrom(harness.client().emit('e', record));
    expect(await collector.of(1)).toEqual([[Buffer.from([0, 255]), { tenant: 'acme' }]]);
  });

  it('and a request of one pattern find each their handler', async () => {
    const collector = new Collector();
    await harness.server({ order: (data: number) => data * 2, 'event:order': collector.take });
    const client = harness.client();
    expect(await lastValueFrom(client.send('order', 2))).toBe(4);
    await lastValueFrom(client.emit('order', 3));
    expect(await collector.of(1)).toEqual([3]);
  });

  it('whose handler fails does no harm, and is logged', async () => {
    const collector = new Collector();
    const server = harness.newServer();
    addHandlers(server, {
      'event:throws': () => {
        throw new Error('a broken handler');
      },
      'event:fails': () => throwError(() => ({ status: 'error', message: 'a broken stream' })),
      'event:e': collector.take,
    });
    await listen(server);
    const client = harness.client();
    await lastValueFrom(client.emit('throws', 1));
    await lastValueFrom(client.emit('fails', 1));
    await lastValueFrom(client.emit('e', 'still here'));
    expect(await collector.of(1)).toEqual(['still here']);
    expect(logged.join('\n')).toContain('a broken handler');
    expect(logged.join('\n')).toContain('a broken stream');
  });

  it('runs the Observable that its handler returns', async () => {
    const ran = new Signal();
    await harness.server({ 'event:e': () => new Observable(() => ran.resolve()) });
    harness.client().emit('e', 1);
    await ran.promise;
  });
});

describe('between our events and the world', () => {
  it('emit is plain JSON for any subscriber, at any node', async () => {
    const client = harness.client();
    for (let index = 0; index < 3; index++) {
      // One for each node: a message still on the cluster bus would reach the next subscriber too.
      const pattern = `e${String(index)}`;
      const redis = harness.redis(index);
      await redis.subscribe(harness.prefix + pattern);
      const message = new Promise<string>((resolve) => redis.on('message', (_, text) => resolve(text)));
      await lastValueFrom(client.emit(pattern, { id: index }));
      expect(JSON.parse(await message)).toMatchObject({ pattern, data: { id: index } });
    }
  });

  it('what a foreign program publishes at any node reaches exact and wildcard handlers', async () => {
    const [exact, wild] = [new Collector(), new Collector()];
    await harness.server({ 'event:e.x': exact.take, 'event:e.*': wild.take });
    const published = [
      'plain text',
      '{"id":7,"name":"json"}',
      '42',
      '{"pattern":"e.x","data":"of Nest"}',
      'null',
    ];
    for (const [index, text] of published.entries()) {
      await harness.redis(index).publish(`${harness.prefix}e.x`, text);
      await Promise.all([exact.of(index + 1), wild.of(index + 1)]);
    }
    const expected = ['plain text', { id: 7, name: 'json' }, 42, 'of Nest', null];
    expect(exact.got).toEqual(expected);
    expect(wild.got).toEqual(expected);
  });

  it('a malformed message is logged once a channel, without its content, and the server goes on', async () => {
    const collector = new Collector();
    const server = await harness.server({ 'event:e': collector.take });
    const redis = harness.redis();
    const before = logged.length;
    for (let i = 0; i < 3; i++) {
      await redis.publish(`${harness.prefix}e`, Buffer.from('\0secret'));
      await redis.publish(`${harness.prefix}e`, '{"_cps":"secret"}');
    }
    await lastValueFrom(harness.client().emit('e', 'after'));
    expect(await collector.of(1)).toEqual(['after']);
    // What another node took comes over the bus, later than what the owner took.
    await eventually(() => server.malformed === 6, 'all malformed messages have come');
    const lines = logged.slice(before).filter((line) => line.includes('malformed'));
    expect(lines).toEqual([expect.stringMatching(`7 bytes on "${harness.prefix}e"`)]);
    expect(lines.join('\n')).not.toContain('secret');
  });

  it('a deserializer that throws counts as a malformed message', async () => {
    const collector = new Collector();
    const deserializer = {
      deserialize: (value: { data: unknown } | string) => {
        if (typeof value === 'string') {
          throw new Error('not for me');
        }
        return { pattern: 'e', data: value.data };
      },
    };
    const server = await harness.server({ 'event:e': collector.take }, { deserializer });
    const redis = harness.redis();
    await redis.publish(`${harness.prefix}e`, 'text');
    await redis.publish(`${harness.prefix}e`, '{"data":1}');
    expect(await collector.of(1)).toEqual([1]);
    expect(server.malformed).toBe(1);
  });
});

describe('an emit that cannot be published', () => {
  const unreachable = { nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 };

  it('fails its Observable with our error', async () => {
    const { error } = await outcome(harness.client(unreachable).emit('e', 1));
    expect(error).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  });

  it('is logged without a subscriber, and not with one', async () => {
    const client = harness.client(unreachable);
    const before = logged.length;
    await outcome(client.emit('e', 1));
    expect(logged.slice(before).join()).not.toContain('Failed to publish event');
    client.emit('e', 2);
    await client.connect().catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged.slice(before).join()).toContain('Failed to publish event');
  });
});

describe('serializers', () => {
  it.each([
    ['synchronous', <T>(value: T) => value],
    ['asynchronous', <T>(value: T) => Promise.resolve(value)],
  ])('that are %s change the form of all packets, ours included', async (_name, wrap) => {
    const serializer = {
      serialize: (value: unknown) => wrap([Buffer.from(JSON.stringify(value)).toString('hex')]),
    };
    const deserializer = {
      deserialize: (value: [string]) => wrap(JSON.parse(Buffer.from(value[0], 'hex').toString()) as never),
    };
    const collector = new Collector();
    await harness.server(
      { echo: (data: unknown) => data, 'event:e': collector.take },
      { serializer, deserializer },
    );
    const client = harness.client({ serializer, deserializer });
    expect(await lastValueFrom(client.send('echo', { a: 1 }))).toEqual({ a: 1 });
    await lastValueFrom(client.emit('e', 'event'));
    expect(await collector.of(1)).toEqual(['event']);
    expect(await outcome(client.send('nobody', 1))).toMatchObject({ error: { code: 'NO_SUBSCRIBERS' } });
  });
});
