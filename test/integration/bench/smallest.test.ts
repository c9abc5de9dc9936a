import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

describe('the smallest bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));

  beforeAll(() => {
    execFileSync(process.execPath, ['scripts/ensure-built.mjs', 'package']);
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('measures two arms, loses nothing and says what each message cost', async () => {
    const json = join(folder, 'samples.json');
    const options = '--quick --only requests,events --arms nest-tcp,ours-sharded --window 200';
    const env = { ...process.env, NODE_OPTIONS: '' };
    const args = ['--import', 'tsx', 'bench/run.ts', ...options.split(' '), '--json', json];
    const { stdout } = await run(process.execPath, args, { env });

    const { conditions, samples } = JSON.parse(readFileSync(json, 'utf8')) as {
      conditions: unknown;
      samples: Record<string, unknown>[];
    };
    expect(conditions).toMatchObject({ rounds: 1, window: 200, versions: { ioredis: expect.any(String) } });
    const loads = ['requests@1', 'requests@64', 'requests@256', 'requests, order', 'events', 'events, order'];
    expect(samples.map(({ arm, load }) => `${String(arm)} ${String(load)}`).sort()).toEqual(
      ['nest-tcp', 'ours-sharded'].flatMap((arm) => loads.map((load) => `${arm} ${load}`)).sort(),
    );
    for (const { rate, clientCpu, serverCpu, clientBytes, lost } of samples) {
      expect(rate).toBeGreaterThan(0);
      expect(clientCpu).toBeGreaterThan(0);
      expect(serverCpu).toBeGreaterThan(0);
      expect(clientBytes).toBeGreaterThan(0);
      expect(lost).toBe(0);
    }
    expect(stdout).toContain('requests/s, 256 in flight, against Nest TCP');
  }, 120_000);
});
