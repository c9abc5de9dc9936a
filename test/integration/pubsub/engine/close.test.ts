import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { startProgram } from '../../../support/programs.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

const program = 'test/support/programs/engine.ts';

describe('close', () => {
  const open = engines();
  const plain = plainConnections();

  it('may be called in any state, and again', async () => {
    const never = open();
    await never.close();
    await never.close();
    expect(never.status).toBe('closed');
    expect(never.closed).toBe(true);

    const connected = open();
    await connected.subscribe(unique());
    await Promise.all([connected.close(), connected.close()]);
    await connected.close();
    expect(connected.subscribed).toBe(false);
    expect(connected.channels.size).toBe(0);
  });

  it('makes everything else reject, and leaves nothing to read', async () => {
    const pubsub = open();
    await pubsub.subscribe(unique());
    await pubsub.close();
    const calls: (() => Promise<unknown>)[] = [
      () => pubsub.connect(),
      () => pubsub.subscribe('a'),
      () => pubsub.psubscribe('a'),
      () => pubsub.ssubscribe('a'),
      () => pubsub.unsubscribe(),
      () => pubsub.punsubscribe('a'),
      () => pubsub.sunsubscribe('a'),
      () => pubsub.publish('a', ''),
      () => pubsub.spublish('a', ''),
      () => pubsub.getMessage(),
      () => pubsub.pubsubChannels(),
      () => pubsub.pubsubNumsub('a'),
      () => pubsub.pubsubNumpat(),
      () => pubsub.reset(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await pubsub.listen().next()).toEqual({ done: true, value: undefined });
  });

  it('while connecting rejects what waits, at once, but for messages', async () => {
    const pubsub = open();
    const published = pubsub.publish(unique(), '');
    const waiting = Promise.allSettled([pubsub.connect(), pubsub.subscribe(unique())]);
    let isPublished = false;
    void published.then(() => (isPublished = true));
    const closed = pubsub.close();
    for (const result of await waiting) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } });
    }
    expect(isPublished).toBe(false);
    expect(await published).toBe(0);
    await closed;
  });

  it.each([
    ['not connected', async () => undefined],
    ['connected to no node', (pubsub: ClusterPubSub) => pubsub.connect()],
    ['connected to its nodes', (pubsub: ClusterPubSub) => pubsub.publish(unique(), '')],
  ])('publishes what an engine that is %s has accepted', async (_state, prepare) => {
    const received = new ReceivedMessages();
    const channels = uniques(6);
    await open().subscribe(Object.fromEntries(channels.map((channel) => [channel, received.handler])));
    const pubsub = open();
    await prepare(pubsub);
    const counts = channels.map((channel) => pubsub.publish(channel, channel));
    const closed = pubsub.close();
    await expect(pubsub.publish(channels[0]!, 'too late')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await Promise.all(counts)).toEqual(channels.map(() => 1));
    await closed;
    await received.has(6);
    expect(received.data.sort()).toEqual([...channels].sort());
  });

  it('publishes nothing more where shutdownGracePeriod is 0', async () => {
    const pubsub = open({}, { nodes: sharedCluster(), shutdownGracePeriod: 0 });
    const outcome = pubsub.publish(unique(), '').catch((error: unknown) => error);
    await pubsub.close();
    expect(await outcome).toMatchObject({ code: 'CLOSED' });
  });

  it('ends handlers at once, also while messages go out', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    const pubsub = open();
    await pubsub.subscribe({ [channel]: received.handler });
    const published = pubsub.publish(channel, 'to itself');
    await pubsub.close();
    await published;
    expect(received.data).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 8])(
    '%i microtasks after subscribe leaves no subscribe waiting and nothing behind',
    async (ticks) => {
      const channel = unique();
      const pubsub = open();
      await pubsub.connect();
      const owner = pubsub.nodeOf(channel);
      const started = performance.now();
      const subscribing = pubsub.subscribe(channel).catch((error: unknown) => error);
      for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
      await pubsub.close();
      expect(await subscribing).toMatchObject({ code: 'CLOSED' });
      expect(performance.now() - started).toBeLessThan(1_000);
      expect(await plain(owner).pubsub('NUMSUB', channel)).toEqual([channel, 0]);
    },
  );

  it('takes what is in flight to its end', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    await open().subscribe({ [channel]: received.handler });
    const pubsub = open();
    await pubsub.connect();
    await pubsub.publish(channel, 'first');
    const publishing = pubsub.publish(channel, 'last words');
    await Promise.all([publishing, pubsub.close()]);
    expect(await publishing).toBe(1);
    await received.has(2);
  });

  it('ends its connections', async () => {
    const channel = unique();
    const pubsub = open();
    await pubsub.subscribe(channel);
    const owner = plain(pubsub.nodeOf(channel));
    await pubsub.close();
    expect(await owner.pubsub('NUMSUB', channel)).toEqual([channel, 0]);
  });

  it('is what `await using` does', async () => {
    const pubsub = new ClusterPubSub({ nodes: sharedCluster() });
    await pubsub.connect();
    await pubsub[Symbol.asyncDispose]();
    expect(pubsub.closed).toBe(true);
  });

  it('reports its states in order', async () => {
    const pubsub = open();
    const states: string[] = [pubsub.status];
    pubsub.on('status', (status) => states.push(status));
    await pubsub.connect();
    await pubsub.close();
    expect(states).toEqual(['idle', 'connecting', 'connected', 'closed']);
  });
});

describe('a program', () => {
  it.each([
    ['that closes what it used', 'close'],
    ['that closes while it connects', 'close-while-connecting'],
    ['that closes while a node says nothing', 'close-while-hanging'],
    ['that disposes with `await using`', 'await-using'],
    ['that could not connect and gave up', 'refused'],
  ])('%s ends by itself, and soon', async (_what, scenario) => {
    const { code, output, took } = await run(scenario);
    expect(output).toBe('done\n');
    expect(code).toBe(0);
    expect(took).toBeLessThan(1_500);
  });

  it('that forgets to close is kept alive by its subscription, and receives messages', async () => {
    const child = startProgram(program, ['forgotten']);
    try {
      child.stdout!.setEncoding('utf8');
      const [channel] = (await once(child.stdout!, 'data')) as [string];
      await sleep(300); // nothing announces that it does not end
      expect(child.exitCode).toBeNull();
      const heard = once(child.stdout!, 'data') as Promise<[string]>;
      const pubsub = new ClusterPubSub({ nodes: sharedCluster() });
      expect(await pubsub.publish(channel.split('\n')[0]!, 'still there')).toBe(1);
      expect((await heard)[0]).toContain('still there');
      await pubsub.close();
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('whose listener throws gets an uncaught exception, and its subscriptions go on', async () => {
    const { code, output } = await run('throwing-listener');
    expect(output.trim().split('\n').sort()).toEqual([
      'done',
      'received: still here',
      'uncaught: from the listener',
    ]);
    expect(code).toBe(0);
  });
});

/** Runs a scenario of test/support/programs/engine.ts; `took` counts from its last word to its end, in ms. */
async function run(scenario: string): Promise<{ code: number; output: string; took: number }> {
  const child = startProgram(program, [scenario]);
  let output = '';
  let lastWord = performance.now();
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    lastWord = performance.now();
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, output, took: performance.now() - lastWord };
}
