import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const MAX_LINES = 350;
/** The façade is mostly the TSDoc of the public engine. */
const EXEMPT = ['pubsub/cluster-pubsub.ts'];

it('no file of src is longer than a reader can take in at one sitting', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const long = files.filter(
    (file) => readFileSync(join('src', file), 'utf8').split('\n').length > MAX_LINES + 1,
  );
  expect(long).toEqual(EXEMPT);
});
