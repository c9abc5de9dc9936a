import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalRedis, startLocalRedis } from '../../../src/testing/index.js';
import { freePort } from '../../support/free-port.js';
import { ownCluster } from '../../support/own-cluster.js';
import { UserProgram } from '../../support/user-program.js';

const attempts = readFileSync(fileURLToPath(new URL('attempts.ts', import.meta.url)), 'utf8');
const host = '127.0.0.1';
/** In ms; and how much more an attempt may take on a busy machine. */
const [connectTimeout, slack] = [500, 3_000];

let standalone: LocalRedis;
let silent: LocalRedis;
const cluster = ownCluster({ masters: 1, replicas: 0, password: 'right-secret' });
/** One that says what it thinks of us, and waits: had it hung up, that might be all we notice. */
const website = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
});
interface Run {
  readonly program: UserProgram;
  readonly address: string;
}

const runs = new Map<string, Promise<Run>>();

beforeAll(async () => {
  [standalone, silent] = await Promise.all([startLocalRedis(), startLocalRedis()]);
  await silent.pause();
  await once(website.listen(0, host), 'listening');
});
afterAll(async () => {
  await Promise.all([...runs.values()].map(async (run) => (await run).program.remove()));
  website.close();
  await Promise.all([standalone.stop(), silent.stop()]);
});

interface Situation {
  readonly code: string;
  /** What the error says besides the address of the node. */
  readonly says: RegExp;
  readonly port: () => number | Promise<number>;
  readonly redisOptions?: object;
}

const situations: Record<string, Situation> = {
  'nobody listens': { code: 'CLUSTER_UNREACHABLE', says: /ECONNREFUSED/, port: freePort },
  'somebody takes connections and says nothing': {
    code: 'CLUSTER_UNREACHABLE',
    says: /no reply within 500 ms/,
    port: () => silent.port,
  },
  'it is no Redis': {
    code: 'CLUSTER_UNREACHABLE',
    says: /does not speak the Redis protocol/,
    port: () => (website.address() as AddressInfo).port,
  },
  'TLS is asked for, and Redis speaks none': {
    code: 'CLUSTER_UNREACHABLE',
    says: /TLS/,
    port: () => standalone.port,
    redisOptions: { tls: {} },
  },
  'a Redis is no cluster': {
    code: 'NOT_A_CLUSTER',
    says: /cluster-enabled yes/,
    port: () => standalone.port,
  },
  'the password is wrong': {
    code: 'AUTHENTICATION_FAILED',
    says: /WRONGPASS.*clusterOptions\.redisOptions/,
    port: () => cluster.nodes[0]!.port,
    redisOptions: { username: 'default', password: 'wrong-secret' },
  },
  'a password is missing': {
    code: 'AUTHENTICATION_FAILED',
    says: /NOAUTH.*clusterOptions\.redisOptions/,
    port: () => cluster.nodes[0]!.port,
  },
};

async function start({ port, redisOptions }: Situation): Promise<Run> {
  const node = { host, port: await port() };
  const options = { nodes: [node], connectTimeout, clusterOptions: { redisOptions } };
  const program = new UserProgram(attempts, { OPTIONS: JSON.stringify(options), NO_COLOR: '1' });
  return { program, address: `${host}:${node.port}` };
}

describe('where at the startup node', () => {
  it.each(Object.entries(situations))(
    '%s, every attempt fails in time and says why',
    async (name, situation) => {
      // The programs mostly wait: that of the next test starts now.
      const names = Object.keys(situations);
      for (const started of names.slice(names.indexOf(name)).slice(0, 2)) {
        if (!runs.has(started)) runs.set(started, start(situations[started]!));
      }
      const { program, address } = await runs.get(name)!;
      // Of itself, and without an unhandled rejection, which would make it 1.
      expect(await program.end()).toBe(0);

      const results = program.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Result);
      expect(results.map(({ what }) => what)).toEqual([
        'microservice',
        'hybrid application',
        'connect',
        'send',
        'emit',
      ]);
      for (const { code, message, ms } of results) {
        expect({ code, message }).toEqual({
          code: situation.code,
          message: expect.stringMatching(situation.says),
        });
        expect(message).toContain(address);
        expect(ms).toBeLessThan(connectTimeout + slack);
      }
      // The log has the event that nobody waited for, and nothing else.
      expect(program.stderr.trim().split('\n')).toEqual([
        expect.stringMatching(/ERROR.*Failed to publish event/),
      ]);
      expect(program.stdout + program.stderr).not.toContain('secret');
    },
  );
});

interface Result {
  readonly what: string;
  readonly code: string;
  readonly message: string;
  readonly ms: number;
}
