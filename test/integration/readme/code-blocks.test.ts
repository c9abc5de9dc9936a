import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { guides } from '../../support/documents.js';

const root = process.cwd();

it('every TypeScript block of the README and the guides passes the type checker, once its …s are filled in and its names exist', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ncps-readme-'));
  try {
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    write('package.json', JSON.stringify({ type: 'module' }));
    write('tsconfig.json', JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['.'] }));
    write('globals.ts', globals);
    for (const [name, text] of guides) {
      const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
      expect(blocks.length).toBeGreaterThan(0);
      blocks.forEach((code, index) => write(`${basename(name, '.md')}-${index + 1}.ts`, moduleOf(code)));
    }
    const { stdout } = await promisify(execFile)(process.execPath, [
      tsc,
      '-p',
      folder,
      '--pretty',
      'false',
    ]).catch((error: unknown) => error as { stdout: string });
    expect(stdout).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

const tsc = join(root, 'node_modules/typescript/bin/tsc');

/** A block as a module: members of a class in a class, statements as they are. */
function moduleOf(code: string): string {
  const filled = code
    .replaceAll('{…}', '{ throw new Error(); }')
    .replaceAll('(…)', '()')
    .replaceAll('…', 'undefined');
  const parts = filled.split(/\n(?=\n)/);
  const members = parts.filter(isOfClass).join('\n');
  const statements = parts.filter((part) => !isOfClass(part)).join('\n');
  return `${statements}\nclass Example {\n${members}\n}\nexport {};\n`;
}

function isOfClass(part: string): boolean {
  return /^\n?(@(?!Controller|Module|Catch)|constructor)/.test(part);
}

/** The names that the blocks assume. */
const globals = `
import type * as jest from '@jest/globals';
import type * as common from '@nestjs/common';
import type * as microservices from '@nestjs/microservices';
import type * as terminus from '@nestjs/terminus';
import type * as rxjs from 'rxjs';
import type * as ours from 'nestjs-cluster-pubsub';
declare global {
  const { beforeAll, afterAll }: typeof jest;
  const { Catch, Controller, Get, Header, Inject }: typeof common;
  const { ClientsModule, Ctx, EventPattern, MessagePattern, Payload }: typeof microservices;
  const { HealthCheck, HealthCheckService }: typeof terminus;
  const { firstValueFrom }: typeof rxjs;
  const {
    ClusterPubSub, ClusterPubSubClient, ClusterPubSubContext, ClusterPubSubError, ClusterPubSubModule, ClusterPubSubRecordBuilder,
    ClusterPubSubServer, InjectClusterPubSub, InjectClusterPubSubClient,
  }: typeof ours;
  type ClusterPubSub<E extends 'utf8' | 'buffer' = 'utf8'> = ours.ClusterPubSub<E>;
  type ClusterPubSubClient = ours.ClusterPubSubClient;
  type ArgumentsHost = common.ArgumentsHost;
  type ExceptionFilter<T> = common.ExceptionFilter<T>;
  type ClusterPubSubContext = ours.ClusterPubSubContext;
  type ClusterPubSubError = ours.ClusterPubSubError;
  type HealthCheckService = terminus.HealthCheckService;
  type Observable<T> = rxjs.Observable<T>;
  const pubsub: ours.ClusterPubSub;
  const app: common.INestApplication;
  function alert(text: string): void;
  const nodes: { host: string; port: number }[];
  const auditNodes: typeof nodes;
  const client: ours.ClusterPubSubClient;
  const server: ours.ClusterPubSubServer;
  const data: unknown;
  const order: Order;
  interface NewOrder { item: string }
  interface Order extends NewOrder { id: string }
  interface Step { done: number }
  interface Tick { at: number }
  class ConfigModule {}
  class ConfigService { getOrThrow<T = any>(name: string): T }
}
`;
