import fc from 'fast-check';
import { ClusterPubSub } from '../../src/pubsub/index.js';
import { type Answer, FakeNode } from '../support/fake-node.js';
import { escaped, type Outcome, type Target } from './target.js';

const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 400;
/** The longest limit of any call below. */
const BOUND_MS = CONNECT_TIMEOUT_MS + COMMAND_TIMEOUT_MS;
const LIES_PER_ROUND = 20;

/** The true answer with something done to it, or another one. */
const lie = fc.oneof(
  fc
    .constantFrom(
      ...[
        ':1\r\n',
        ':-5\r\n',
        ',nan\r\n',
        '$-1\r\n',
        '*-1\r\n',
        '*0\r\n',
        '$3\r\nabc\r\n',
        '$-1\r\n'.repeat(5),
        '+OK\r\n',
        '#t\r\n',
      ],
      ...[
        '-ERR no\r\n',
        '-MOVED 1 127.0.0.1:1\r\n',
        '-MOVED x\r\n',
        '-ASK\r\n',
        '-CLUSTERDOWN x\r\n',
        '-LOADING x\r\n',
      ],
      ...[
        '*1\r\n'.repeat(500),
        '*99999999\r\n',
        '$999999999\r\n',
        'HTTP/1.1 400\r\n\r\n',
        '>1\r\n+x\r\n',
        '%1\r\n',
      ],
      ...['*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n:1\r\n', '*3\r\n$9\r\nsubscribe\r\n$1\r\nz\r\n:1\r\n'],
      ...['*3\r\n$12\r\nsunsubscribe\r\n$5\r\ntopic\r\n:0\r\n'],
    )
    .map((text): Lie => ({ is: 'another', bytes: Buffer.from(text) })),
  fc
    .uint8Array({ minLength: 1, maxLength: 30 })
    .map((bytes): Lie => ({ is: 'another', bytes: Buffer.from(bytes) })),
  fc.record({ is: fc.constant('damaged' as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ is: fc.constant('cut' as const), at: fc.nat() }),
  fc.constantFrom<Lie>({ is: 'nothing' }, { is: 'close' }, { is: 'twice' }, { is: 'true' }),
);

type Lie =
  | { readonly is: 'another'; readonly bytes: Buffer }
  | { readonly is: 'damaged'; readonly at: number; readonly byte: number }
  | { readonly is: 'cut'; readonly at: number }
  | { readonly is: 'nothing' | 'close' | 'twice' | 'true' };

/** An engine on a node that answers anything: each call ends in time, and all works again once the node tells the truth. */
export const lyingNodeTarget: Target = {
  name: 'lying node',
  run: async (inputs, seed): Promise<Outcome> => {
    const node = await new FakeNode().start();
    const problems: string[] = [];
    const found = await escaped(async () => {
      const rounds = Math.ceil(inputs / LIES_PER_ROUND);
      for (let round = 0; round < rounds; round += 1) {
        const lies = fc.sample(lie, { numRuns: LIES_PER_ROUND, seed: seed + round });
        problems.push(...(await play(node, lies)).map((text) => `round ${String(round)}: ${text}`));
      }
    });
    await node.stop();
    return { inputs, problems: [...problems, ...found] };
  },
};

async function play(node: FakeNode, lies: Lie[]): Promise<string[]> {
  const problems: string[] = [];
  node.alter = (_command, answer) => answer;
  const pubsub = new ClusterPubSub(
    {
      nodes: [{ host: '127.0.0.1', port: node.port }],
      clusterOptions: { redisOptions: { protocol: 2 } },
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      probeInterval: 50,
      probeTimeout: 50,
      shared: false,
    },
    { sequence: true },
  );
  pubsub.on('error', () => undefined);
  const received: string[] = [];
  await pubsub.ssubscribe({ topic: (message) => void received.push(message.data) });
  const within = async (name: string, call: Promise<unknown>): Promise<void> => {
    const before = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const hung = new Promise((resolve) => (timer = setTimeout(resolve, 4 * BOUND_MS, 'hung')));
    const result = await Promise.race([call.catch(() => undefined), hung]);
    clearTimeout(timer);
    const time = performance.now() - before;
    if (result === 'hung' || time > 2 * BOUND_MS)
      problems.push(`${name} took ${String(Math.round(time))} ms`);
    if (name.includes('publish') && result !== undefined && !Number.isSafeInteger(result)) {
      problems.push(`${name} resolved to ${JSON.stringify(result)}`);
    }
  };
  node.alter = (_command, answer) => answerWith(lies.pop(), answer);
  while (lies.length > 0) {
    const left = lies.length;
    await Promise.all([
      within('publish', pubsub.publish('topic', 'x')),
      within('spublish', pubsub.spublish('topic', 'x')),
      within('subscribe', pubsub.subscribe(`other ${String(left)}`)),
      within('pubsubNumsub', pubsub.pubsubNumsub('topic')),
      within('pubsubChannels', pubsub.pubsubChannels()),
      within('health', pubsub.health({ cacheTtl: 0, timeout: COMMAND_TIMEOUT_MS })),
    ]);
  }
  node.alter = (_command, answer) => answer;
  const deadline = performance.now() + 20 * BOUND_MS;
  while (!received.includes('the truth') && performance.now() < deadline) {
    await pubsub.spublish('topic', 'the truth').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (!received.includes('the truth')) problems.push('it does not work again');
  await within('close', pubsub.close());
  return problems;
}

function answerWith(one: Lie | undefined, answer: Buffer): Answer {
  switch (one?.is) {
    case 'another':
      return one.bytes;
    case 'damaged': {
      const bytes = Buffer.from(answer);
      bytes[one.at % Math.max(bytes.length, 1)] = one.byte;
      return bytes;
    }
    case 'cut':
      return answer.subarray(0, one.at % Math.max(answer.length, 1));
    case 'nothing':
    case 'close':
      return one.is;
    case 'twice':
      return Buffer.concat([answer, answer]);
    default:
      return answer;
  }
}
