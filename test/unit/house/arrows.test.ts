import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';

const config = resolve('.dependency-cruiser.mjs');
const depcruise = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** Checks a house of these files, by path and content, as `npm run lint:arrows` checks ours. */
function check(files: Record<string, string>): { failed: boolean; output: string } {
  const house = mkdtempSync(join(tmpdir(), 'ncps-house-'));
  try {
    for (const [path, content] of Object.entries({ 'tsconfig.json': '{}', ...files })) {
      mkdirSync(dirname(join(house, path)), { recursive: true });
      writeFileSync(join(house, path), content);
    }
    const args = [depcruise, 'src', '--config', config];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: house, encoding: 'utf8' });
    return { failed: status !== 0, output: stdout + stderr };
  } finally {
    rmSync(house, { recursive: true });
  }
}

const type = 'export interface A { readonly a: string }\n';
const importOf = (path: string): string => `import type { A } from '${path}';\nexport type B = A;\n`;

describe('npm run lint:arrows', () => {
  it('accepts imports of the folders below', () => {
    const house = {
      'src/util/a.ts': type,
      'src/pubsub/resp/a.ts': type,
      'src/pubsub/topology/b.ts': importOf('../resp/a.js'),
      'src/pubsub/topology/c.ts': importOf('../../util/a.js'),
    };
    expect(check(house)).toMatchObject({ failed: false });
  });

  describe('refuses, though types alone are imported,', () => {
    let result: ReturnType<typeof check>;
    beforeAll(() => {
      result = check({
        'src/util/a.ts': type,
        'src/pubsub/topology/a.ts': type,
        'src/pubsub/resp/b.ts': importOf('../topology/a.js'),
        'src/pubsub/publish/a.ts': type,
        'src/pubsub/reconciler/b.ts': importOf('../publish/a.js'),
        'src/transport/client/a.ts': type,
        'src/transport/server/b.ts': importOf('../client/a.js'),
        'src/util/one.ts': `import type { B } from './other.js';\n${type}export type C = B;\n`,
        'src/util/other.ts': importOf('./one.js'),
        'src/attic/b.ts': importOf('../util/a.js'),
      });
    });

    it.each([
      ['an upward arrow', 'arrows-of-pubsub/resp: src/pubsub/resp/b.ts → src/pubsub/topology/a.ts'],
      [
        'an arrow from the control path to the data path',
        'arrows-of-pubsub/reconciler: src/pubsub/reconciler/b.ts → src/pubsub/publish/a.ts',
      ],
      [
        'an arrow between client and server',
        'arrows-of-transport/server: src/transport/server/b.ts → src/transport/client/a.ts',
      ],
      ['a circle of two files of one folder', 'no-circles: src/util/one.ts'],
      ['a folder that is not declared', 'no-undeclared-folder: src/attic/b.ts'],
    ])('%s', (_what, line) => {
      expect(result.failed).toBe(true);
      expect(result.output).toContain(line);
    });
  });
});
