import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { connectionName } from '../../src/pubsub/connection/connection-name.js';
import { ClusterPubSub } from '../../src/pubsub/index.js';
import { ClusterPubSubHealthIndicator } from '../../src/terminus/index.js';
import { type ClusterPubSubOptions, ClusterPubSubRecordBuilder } from '../../src/transport/index.js';
import { blockAfter } from '../support/documents.js';
import { ownCluster } from '../support/own-cluster.js';
import { type Handlers, logged, outcome, transports } from '../support/transports.js';
import { Signal } from '../support/waiting.js';

/** The arguments of the ACL SETUSER in docs/acl.md, without the name of the user. */
const rules = blockAfter('docs/acl.md', 'acl')
  .trim()
  .replace(/^ACL SETUSER shop /, '')
  .split(/\s+/);
const commands = rules.filter((rule) => rule.startsWith('+'));
/** Without these everything goes on, a little worse. */
const tried = commands.filter((command) => /unsubscribe$|^\+cluster\|(info|myid)$/.test(command));

const cluster = ownCluster({ masters: 2, replicas: 1, password: 'of-the-admin' });
const harness = transports(cluster);
let admins: Redis[];
let users = 0;

beforeAll(async () => {
  admins = cluster.nodes.map((node) => new Redis({ ...node, password: 'of-the-admin' }));
});
afterAll(async () => {
  admins.forEach((admin) => admin.disconnect());
});

describe('the user of docs/acl.md', () => {
  it('can serve and call, emit and receive, classic and sharded, and unsubscribe', async () => {
    const user = await newUser(rules);
    const heard = { exact: new Signal(), wildcard: new Signal(), sharded: new Signal() };
    const server = await harness.server(
      {
        'order.create': (item: string) => `ordered ${item}`,
        'event:order.created': () => heard.exact.resolve(),
        'event:order.*': () => heard.wildcard.resolve(),
        'event:tick': () => heard.sharded.resolve(),
      },
      user,
    );
    const client = harness.client(user);
    expect(await lastValueFrom(client.send('order.create', 'tea'))).toBe('ordered tea');
    await lastValueFrom(client.emit('order.created', 1), { defaultValue: undefined });
    const sharded = new ClusterPubSubRecordBuilder(1).setMode('sharded').build();
    await lastValueFrom(client.emit('tick', sharded), { defaultValue: undefined });
    await Promise.all(Object.values(heard).map(({ promise }) => promise));

    await server.close();
    expect(await outcome(client.send('order.create', 'tea'))).toMatchObject({
      error: { code: 'NO_SUBSCRIBERS' },
    });
    expect(logged).toEqual([]);
    // Of what it may not do, it tries only what does no harm; Redis 7.2 knows one command more than 7.0.
    const harmless = ['command|info', 'client|setname', 'client|setinfo'];
    expect((await refusedTo(user)).filter((command) => !harmless.includes(command))).toEqual([]);
  });

  it.each([
    ['a wildcard event handler', 'event:order.*', '&shop:order.*', 'shop:order.*'],
    ['a wildcard message handler', 'order.*', '&shop:_cps:req:order.*', 'shop:_cps:req:order.*'],
  ])(
    'needs the pattern of %s by the letter: without it listen() fails and names it',
    async (_, pattern, rule, channel) => {
      const handlers: Handlers = { [pattern]: () => 'answer', 'event:other': () => undefined };
      const without = await newUser(rules.filter((one) => one !== rule));
      await expect(harness.server(handlers, without)).rejects.toMatchObject({
        code: 'SUBSCRIPTION_REFUSED',
        channel,
        message: expect.stringContaining(channel),
      });
      await harness.server(handlers, await newUser([...rules, rule]));
    },
  );

  describe('needs', () => {
    const refusal: Record<string, (user: User) => Promise<unknown>> = {
      '+ping': (user) => codeOf(harness.client(user).connect()),
      '+cluster|slots': (user) => codeOf(harness.client(user).connect()),
      '+pubsub': async (user) => {
        await using pubsub = new ClusterPubSub(harness.options(user));
        return await codeOf(pubsub.pubsubShardNumsub('shop:a'));
      },
      '+publish': (user) => codeOf(lastValueFrom(harness.client(user).emit('order.created', 1))),
      '+spublish': (user) => codeOf(lastValueFrom(harness.client(user).send('order.create', 1))),
      '+subscribe': (user) => codeOf(harness.server({ 'event:order.created': () => 1 }, user)),
      '+psubscribe': (user) => codeOf(harness.server({ 'event:order.*': () => 1 }, user)),
      '+ssubscribe': (user) => codeOf(harness.server({ 'order.create': () => 1 }, user)),
    };
    const codes: Record<string, string> = {
      '+ping': 'AUTHENTICATION_FAILED',
      '+cluster|slots': 'AUTHENTICATION_FAILED',
      '+pubsub': 'COMMAND_REFUSED',
      '+publish': 'PUBLISH_FAILED',
      '+spublish': 'PUBLISH_FAILED',
    };

    it.each(commands.filter((command) => !tried.includes(command)))('%s', async (command) => {
      const user = await newUser(rules.filter((one) => one !== command));
      expect(await refusal[command]?.(user)).toBe(codes[command] ?? 'SUBSCRIPTION_REFUSED');
    });

    it.each(tried)('%s, which is tried', async (command) => {
      const user = await newUser(rules.filter((one) => one !== command));
      const pubsub = new ClusterPubSub(harness.options(user));
      await Promise.all([
        pubsub.subscribe('shop:a'),
        pubsub.psubscribe('shop:order.*'),
        pubsub.ssubscribe('shop:a'),
      ]);
      await pubsub.reset();
      await pubsub.close();
      expect(await refusedTo(user)).toContain(command.slice(1));
    });
  });

  it('needs +pubsub for the counts of the health indicator', async () => {
    const module = await Test.createTestingModule({
      imports: [TerminusModule],
      providers: [ClusterPubSubHealthIndicator],
    }).compile();
    const indicator = module.get(ClusterPubSubHealthIndicator);
    const health = async (user: User) => {
      await using pubsub = new ClusterPubSub(harness.options(user));
      return await indicator.isHealthy('redis', { pubsub, channels: ['shop:order.create'], timeout: 5_000 });
    };
    const [allowed, without] = [
      await newUser(rules),
      await newUser(rules.filter((one) => one !== '+pubsub')),
    ];
    await harness.server({ 'order.create': () => 1, 'event:order.*': () => 1 }, allowed);
    expect(await health(without)).toMatchObject({
      redis: {
        status: 'degraded',
        message: expect.stringMatching(/refused PUBSUB NUMPAT: NOPERM/),
        numsub: {},
      },
    });
    expect(await health(allowed)).toMatchObject({
      redis: { status: 'up', shardNumsub: { 'shop:order.create': 1 }, patterns: 1 },
    });
    await module.close();
  });

  it('has connections without a name, unless it has +client|setname too', async () => {
    const [without, allowed] = [await newUser(rules), await newUser([...rules, '+client|setname'])];
    await harness.client(without).connect();
    await harness.client(allowed).connect();
    const list = (await Promise.all(admins.map((admin) => admin.client('LIST')))).join('\n').split('\n');
    const namesOf = ({ name }: User) =>
      list.filter((line) => line.includes(` user=${name} `)).map((line) => / name=(\S*)/.exec(line)?.[1]);
    expect(namesOf(without)).toEqual(['']);
    expect(namesOf(allowed)).toEqual([connectionName('shop:')]);
  });
});

it('credentials are printed neither with the messages of diagnostics channels nor with servers, clients and engines', async () => {
  const user = await newUser(rules);
  const told: unknown[] = [];
  const note = (message: unknown): void => void told.push(message);
  const channels = [
    'status',
    'request',
    'emit',
    'handled',
    'malformed',
    'interrupted',
    'gap',
    'publish-failed',
  ];
  channels.forEach((name) => subscribe(`nestjs-cluster-pubsub:${name}`, note));
  const server = await harness.server({ 'order.create': () => 1, 'event:order.created': () => 1 }, user);
  const client = harness.client(user);
  await lastValueFrom(client.send('order.create', 1));
  await outcome(client.emit('order.created', 1));
  await outcome(client.send('order.cancel', 1));
  const engine = client.unwrap<object>();
  await Promise.all([server.close(), client.close()]);
  channels.forEach((name) => unsubscribe(`nestjs-cluster-pubsub:${name}`, note));
  expect(told.length).toBeGreaterThan(5);
  for (const one of [...told, server, client, engine, harness.client(user)]) {
    expect(inspect(one, { depth: Infinity, maxArrayLength: null }).includes('secret')).toBe(false);
  }
});

type User = Partial<ClusterPubSubOptions> & { readonly name: string };

/** A new user on every node, and the options of somebody who is that user. */
async function newUser(acl: readonly string[]): Promise<User> {
  const name = `shop-${++users}`;
  await Promise.all(admins.map((admin) => admin.call('ACL', 'SETUSER', name, ...acl)));
  return { name, prefix: 'shop:', clusterOptions: { redisOptions: { username: name, password: 'secret' } } };
}

/** The commands that Redis has refused to a user. */
async function refusedTo({ name }: User): Promise<string[]> {
  const logs = await Promise.all(admins.map((admin) => admin.call('ACL', 'LOG', 1_000)));
  // Each entry is a list of names and values in turn.
  const entries = (logs as unknown[][][]).flat();
  const field = (entry: unknown[], name: string): string => String(entry[entry.indexOf(name) + 1]);
  return entries.filter((entry) => field(entry, 'username') === name).map((entry) => field(entry, 'object'));
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  );
}
