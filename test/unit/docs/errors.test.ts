import { expect, it } from '@jest/globals';
import * as ours from '../../../src/index.js';
import { readDocument } from '../../support/documents.js';

type ErrorClass = new (...args: string[]) => ours.ClusterPubSubError;

it('the table of docs/errors.md names every error class that is exported, each with its code', () => {
  const table = /^\| class +\| code +\|.*?\n\n/ms.exec(readDocument('docs/errors.md'))?.[0] ?? '';
  const documented = [...table.matchAll(/^\| `(\w+)` +\| `(\w+)` +\|/gm)].map(([, name, code]) => [
    name,
    code,
  ]);
  const exported = Object.entries(ours)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof ours.ClusterPubSubError)
    .map(([name, value]) => [name, new (value as unknown as ErrorClass)('a', 'b', 'c', 'd').code]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(exported));
});
