import { describe, expect, it } from '@jest/globals';
import { type ClusterPubSubOptions, resolveOptions } from '../../../../src/transport/common/options.js';
import {
  ClusterPubSubRecordBuilder,
  isRecord,
} from '../../../../src/transport/common/cluster-pubsub.record-builder.js';
import { ClusterPubSubClient, ClusterPubSubServer } from '../../../../src/transport/index.js';

const nodes = [{ host: '127.0.0.1', port: 7000 }];

describe('resolveOptions', () => {
  it('fills in the documented defaults', () => {
    expect(resolveOptions({ nodes })).toMatchObject({
      mode: 'classic',
      prefix: '',
      requestTimeout: 30_000,
      maxPayload: 1_048_576,
      sequence: true,
      shutdownGracePeriod: 5_000,
      wildcards: true,
    });
  });

  it('hands on to the engine what is for the engine', () => {
    const connection = {
      nodes,
      connectTimeout: 1_000,
      commandTimeout: 2_000,
      maxQueuedMessages: 3,
      onOverflow: 'drop-oldest' as const,
      probeInterval: 0,
      probeTimeout: 4_000,
      slotMigrationTimeout: 0,
    };
    const resolved = resolveOptions({ ...connection, prefix: 'app:', sequence: false });
    expect(resolved.connection).toEqual({ ...connection, cluster: undefined, clusterOptions: undefined });
    expect(resolved.sequence).toBe(false);
  });

  it.each([
    ['no cluster at all', {}, 'nodes'],
    ['an empty list of nodes', { nodes: [] }, 'nodes'],
    ['a text for the list of nodes', { nodes: 'h1:7000,h2:7000' as never }, 'nodes'],
    ['an impossible port', { nodes: [{ host: 'h1', port: 99_999 }] }, 'port'],
    ['a URL for a host', { nodes: [{ host: 'redis://h1', port: 7000 }] }, 'URL'],
    ['a timeout longer than a timer takes', { nodes, connectTimeout: 1e12 }, 'connectTimeout'],
    ['a queue of nothing', { nodes, maxQueuedMessages: 0 }, 'maxQueuedMessages'],
    ['a probe that gets no time', { nodes, probeTimeout: 0 }, 'probeTimeout'],
    ['a text for a window', { nodes, slotMigrationTimeout: '1s' as never }, 'slotMigrationTimeout'],
    ['an unknown policy', { nodes, onOverflow: 'drop' as never }, 'onOverflow'],
    ['a negative timeout', { nodes, requestTimeout: -1 }, 'requestTimeout'],
    ['a timeout that is no number', { nodes, requestTimeout: NaN }, 'requestTimeout'],
    ['a text for a number', { nodes, maxPayload: '1mb' as never }, 'maxPayload'],
    ['an unknown mode', { nodes, mode: 'fast' as never }, 'mode'],
    ['a prefix that pins all channels to one slot', { nodes, prefix: '{app}:' }, 'hash tag'],
    ['a prefix of our own', { nodes, prefix: '_cps:' }, '_cps:'],
  ])('refuses %s, in server and client alike', (_name, options: ClusterPubSubOptions, word) => {
    for (const make of [() => new ClusterPubSubServer(options), () => new ClusterPubSubClient(options)]) {
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
      expect(make).toThrow(word);
    }
  });

  it('says what is missing when there are no options', () => {
    expect(() => new ClusterPubSubServer(undefined as never)).toThrow('nodes');
  });
});

describe('a record', () => {
  it('carries what was set, and is known by its brand', () => {
    const record = new ClusterPubSubRecordBuilder({ id: 7 })
      .setHeaders({ tenant: 'acme' })
      .setMode('sharded')
      .setTimeout(500)
      .build();
    expect(record).toMatchObject({
      data: { id: 7 },
      headers: { tenant: 'acme' },
      mode: 'sharded',
      timeout: 500,
    });
    expect(isRecord(record)).toBe(true);
    expect(isRecord({ data: 1, headers: {} })).toBe(false);
  });

  it.each([
    ['a header that is no string', () => new ClusterPubSubRecordBuilder(1).setHeaders({ a: 1 as never })],
    ['an unknown mode', () => new ClusterPubSubRecordBuilder(1).setMode('fast' as never)],
    ['a negative timeout', () => new ClusterPubSubRecordBuilder(1).setTimeout(-1)],
  ])('refuses %s', (_name, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('before any connection', () => {
  it.each([
    ['server', () => new ClusterPubSubServer({ nodes })],
    ['client', () => new ClusterPubSubClient({ nodes })],
  ])('unwrap of the %s fails with our error, and close does nothing', async (_name, make) => {
    const one = make();
    expect(() => one.unwrap()).toThrow(expect.objectContaining({ code: 'NOT_CONNECTED' }));
    await one.close();
    await one.close();
  });

  it.each([
    ['a RegExp', /order/],
    ['nothing', undefined],
    ['a reserved name', '_cps:req:order'],
  ])('the server refuses %s for a pattern', (_name, pattern) => {
    const server = new ClusterPubSubServer({ nodes });
    expect(() => server.addHandler(pattern, () => Promise.resolve())).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
