import { Cluster, Command, Redis } from 'ioredis';
import type { Address, Arm, Place } from '../arm.js';

/** One slot for everything, so that one connection per direction is enough: hand-written code knows its cluster. */
const tag = '{bench}';

interface Request {
  readonly id: number;
  readonly data: unknown;
  readonly inbox: string;
}

/**
 * The ceiling: request/reply as one would write it on ioredis for one purpose and no failures, without Nest.
 * Shard channels, one inbox a client, JSON, and a socket corked for a tick.
 */
export const handWritten: Arm = {
  async serve(place, { requests, events, onRequest, onEvent }) {
    const [publisher, subscriber] = await connections(place);
    const publish = corked(publisher);
    const requestChannels = new Set(requests.map((pattern) => `${tag}${pattern}`));
    subscriber.on('smessage', (channel: string, message: string) => {
      if (requestChannels.has(channel)) {
        const { id, data, inbox } = JSON.parse(message) as Request;
        publish(inbox, JSON.stringify({ id, response: onRequest(data) }));
      } else {
        onEvent((JSON.parse(message) as { data: unknown }).data);
      }
    });
    const channels = [...requestChannels, ...events.map((event) => `${tag}${event}`)];
    await Promise.all(channels.map((channel) => subscriber.ssubscribe(channel)));
    return { close: async () => end(publisher, subscriber) };
  },

  async connect(place) {
    const [publisher, subscriber] = await connections(place);
    const publish = corked(publisher);
    const inbox = `${tag}inbox:${process.pid}`;
    const waiting = new Map<number, (error?: unknown, answer?: unknown) => void>();
    let lastId = 0;
    let arrivals = 0;
    subscriber.on('smessage', (_channel: string, message: string) => {
      arrivals += 1;
      const { id, response } = JSON.parse(message) as { id: number; response: unknown };
      const done = waiting.get(id);
      waiting.delete(id);
      done?.(undefined, response);
    });
    await subscriber.ssubscribe(inbox);
    return {
      request(pattern, data, done) {
        const id = ++lastId;
        waiting.set(id, done);
        publish(`${tag}${pattern}`, JSON.stringify({ id, data, inbox }));
      },
      emit: (pattern, data) => publish(`${tag}${pattern}`, JSON.stringify({ data })),
      arrivals: () => arrivals,
      close: async () => end(publisher, subscriber),
    };
  },
};

/** To publish without a promise, many commands in one write. */
function corked(redis: Redis): (channel: string, message: string) => void {
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    redis.stream.uncork();
  };
  return (channel, message) => {
    if (!isCorked) {
      isCorked = true;
      redis.stream.cork();
      setImmediate(uncork);
    }
    const command = new Command('spublish', [channel, message], {}, ignore);
    // ioredis creates a promise in any case; nobody awaits it.
    void redis.sendCommand(command);
  };
}

const ignore = (): void => undefined;

async function connections({ nodes }: Place): Promise<[publisher: Redis, subscriber: Redis]> {
  const owner = await ownerOfTag(nodes);
  const redises: [Redis, Redis] = [new Redis({ ...owner }), new Redis({ ...owner })];
  await Promise.all(redises.map((redis) => redis.ping()));
  return redises;
}

async function ownerOfTag(nodes: readonly Address[]): Promise<Address> {
  const cluster = new Cluster([...nodes]);
  try {
    const slot = await cluster.cluster('KEYSLOT', tag);
    const ranges = await cluster.cluster('SLOTS');
    const range = ranges.find(([from, to]) => from <= slot && slot <= to);
    if (range?.[2] === undefined) throw new Error(`Nobody owns slot ${slot}.`);
    const [host, port] = range[2];
    return { host, port };
  } finally {
    cluster.disconnect();
  }
}

function end(...redises: Redis[]): void {
  for (const redis of redises) redis.disconnect();
}
