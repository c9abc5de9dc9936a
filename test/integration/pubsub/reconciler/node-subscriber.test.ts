import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { EventEmitter, once } from 'node:events';
import { ConnectionFactory } from '../../../../src/pubsub/connection/connection-factory.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import {
  type NodeSubscriberRouter,
  NodeSubscriber,
} from '../../../../src/pubsub/reconciler/node-subscriber.js';
import { Subscription } from '../../../../src/pubsub/subscription/subscription.js';
import { SUBSCRIPTION_KINDS } from '../../../../src/pubsub/common/subscription-kind.js';
import { startLocalRedis, type LocalRedis } from '../../../../src/testing/index.js';
import { noProbes } from '../../../support/no-probes.js';
import { silentScope } from '../../../support/scopes.js';
import { eventually } from '../../../support/waiting.js';

/** One node's session, with a standalone Redis of its own: nothing here needs a cluster. */

describe('a subscriber session', () => {
  let server: LocalRedis;
  let redis: Redis;
  let session: NodeSubscriber;
  let told: EventEmitter;
  let log: string[];

  beforeAll(async () => {
    server = await startLocalRedis();
  });

  afterAll(() => server.stop());

  beforeEach(() => {
    redis = new Redis({ port: server.port });
    log = [];
    told = new EventEmitter();
    const note = (event: string, names: readonly Subscription[]): void => {
      for (const { text } of names) log.push(`${event} ${text}`);
      told.emit(event, names);
    };
    session = new NodeSubscriber(
      `127.0.0.1:${server.port}` as NodeKey,
      0,
      new ConnectionFactory({}, {}, 1_000),
      1_000,
      noProbes,
      {
        listenerOf: () => ({
          confirmed: (_node, one) => note('confirmed', [one]),
          refused: (_node, one) => note('refused', [one]),
          unsubscribeRefused: (_node, several) => note('unsubscribe refused', several),
          revoked: (_node, one) => note('revoked', [one]),
          lost: (_node, several) => note('lost', several),
          unreachable: () => note('unreachable', []),
        }),
        disconnected: () => undefined,
        idle: () => note('idle', []),
      },
    );
  });

  afterEach(() => {
    session.close();
    redis.disconnect();
  });

  it('carries what is added and leaves what is dropped', async () => {
    const [a, b] = [channel('a'), channel('b')];
    session.add(a);
    session.add(b);
    await once(told, 'idle');
    expect(log).toEqual(['confirmed a', 'confirmed b']);
    expect(session.state).toBe('idle');
    await session.drop(a);
    expect(await counts('a', 'b')).toEqual([0, 1]);
    void session.drop(b);
    await once(told, 'idle');
    expect(await counts('b')).toEqual([0]);
    expect(session.empty).toBe(true);
  });

  it('goes through its states in order', async () => {
    expect(session.state).toBe('idle');
    session.add(channel('a'));
    await Promise.resolve();
    expect(session.state).toBe('connecting');
    await once(told, 'confirmed');
    expect(session.state).toBe('syncing');
    await once(told, 'idle');
    session.close();
    expect(session.state).toBe('closed');
    session.close();
  });

  it('forgets what is dropped before it went out', async () => {
    const a = channel('a');
    session.add(a);
    await session.drop(a);
    await once(told, 'idle');
    expect(log).toEqual([]);
    expect(await counts('a')).toEqual([0]);
  });

  it('drops what is confirmed only after it was dropped', async () => {
    const [a, b] = [channel('a'), channel('b')];
    session.add(b);
    await once(told, 'idle');
    session.add(a);
    await Promise.resolve();
    await Promise.resolve();
    expect(session.state).toBe('syncing');
    await session.drop(a);
    expect(await counts('a', 'b')).toEqual([0, 1]);
  });

  it('keeps a subscription that is added again before it was dropped, and confirms it', async () => {
    const a = channel('a');
    session.add(a);
    await once(told, 'idle');
    const dropped = session.drop(a);
    session.add(a);
    await dropped;
    await once(told, 'idle');
    expect(await counts('a')).toEqual([1]);
    expect(log).toEqual(['confirmed a', 'confirmed a']);
    expect(session.empty).toBe(false);
  });

  it('keeps what is added again while the drop is on its way', async () => {
    const a = channel('a');
    session.add(a);
    await once(told, 'idle');
    void session.drop(a);
    await Promise.resolve();
    await Promise.resolve();
    session.add(a);
    await once(told, 'idle');
    expect(await counts('a')).toEqual([1]);
  });

  it('keeps the newcomer where another subscription of the same name leaves', async () => {
    const [old, fresh] = [channel('a'), channel('a')];
    session.add(old);
    await once(told, 'idle');
    const dropped = session.drop(old);
    session.add(fresh);
    await dropped;
    expect(await counts('a')).toEqual([1]);
    await session.drop(fresh);
    expect(await counts('a')).toEqual([0]);
  });

  it('says what went with a lost connection, and connects again for the next', async () => {
    const [a, b] = [channel('a'), channel('b')];
    session.add(a);
    await once(told, 'idle');
    const lost = once(told, 'lost');
    await redis.client('KILL', 'TYPE', 'PUBSUB');
    expect(await lost).toEqual([[a]]);
    expect(session.empty).toBe(true);
    session.add(b);
    await once(told, 'confirmed');
    expect(await counts('a', 'b')).toEqual([0, 1]);
  });

  it('lets a drop go that waits for a connection that is lost', async () => {
    const a = channel('a');
    session.add(a);
    await once(told, 'idle');
    await server.pause();
    const dropped = session.drop(a);
    await Promise.resolve();
    await Promise.resolve();
    await server.resume();
    await redis.client('KILL', 'TYPE', 'PUBSUB');
    await dropped;
    expect(session.empty || session.state !== 'idle').toBe(true);
  });

  it('waits for a node that is down, and says so', async () => {
    await server.kill();
    session.add(channel('a'));
    await once(told, 'unreachable');
    expect(session.state).toBe('backoff');
    const confirmed = once(told, 'confirmed');
    await server.restart();
    await confirmed;
    expect(await counts('a')).toEqual([1]);
  });

  it('stops waiting when it is closed', async () => {
    await server.kill();
    session.add(channel('a'));
    await once(told, 'unreachable');
    session.close();
    expect(session.state).toBe('closed');
    await server.restart();
    expect(await counts('a')).toEqual([0]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'ends quietly when it is closed just as its connection opens (%i microtasks later)',
    async (microtasks) => {
      const opened = new EventEmitter();
      const factory = new (class extends ConnectionFactory {
        override async open(...args: Parameters<ConnectionFactory['open']>) {
          const socket = await super.open(...args);
          opened.emit('open', socket.socket);
          return socket;
        }
      })({}, {}, 1_000);
      const closing = new NodeSubscriber(session.node, 0, factory, 1_000, noProbes, ignored);
      const open = once(opened, 'open').then(async ([socket]: EventEmitter[]) => {
        for (let i = 0; i < microtasks; i += 1) await Promise.resolve();
        closing.close();
        return socket;
      });
      closing.add(channel('a'));
      await once((await open)!, 'close');
      expect(closing.state).toBe('closed');
      // The server hears of it a little later than we.
      await eventually(async () => (await counts('a'))[0] === 0, 'nothing is subscribed any more');
    },
  );

  async function counts(...names: string[]): Promise<number[]> {
    const flat = (await redis.pubsub('NUMSUB', ...names)) as (string | number)[];
    return names.map((name) => Number(flat[flat.indexOf(name) + 1]));
  }
});

const scope = silentScope();

const ignored: NodeSubscriberRouter = {
  listenerOf: () => undefined,
  disconnected: () => undefined,
  idle: () => undefined,
};

function channel(name: string): Subscription {
  return new Subscription(scope, SUBSCRIPTION_KINDS.channel, name);
}
