import { expect, it } from '@jest/globals';
import { readDocument } from '../../support/documents.js';

it.each([
  ['docs/options.md', ['ClusterConnectionOptions', 'ClusterPubSubOptions']],
  ['docs/engine.md', ['PubSubOptions']],
])('the tables of %s name every option of %p', (path, interfaces) => {
  expect(documentedIn(path).sort()).toEqual(interfaces.flatMap(optionsOf).sort());
});

it("the README's table names options that exist", () => {
  const all = documentedIn('docs/options.md');
  expect(documentedIn('README.md').filter((option) => !all.includes(option))).toEqual([]);
});

/** The names in the first column of the tables whose head is "option". */
function documentedIn(path: string): string[] {
  const tables = readDocument(path).matchAll(/(?<=\n)\| option +\|(?:.*\n\|)*.*/g);
  return [...tables].flatMap(([table]) =>
    [...table.matchAll(/^\| (`.*?) +\|/gm)].flatMap(([, cell]) => cell!.match(/\w+/g)!),
  );
}

/** The members of an exported interface, from the API report. */
function optionsOf(name: string): string[] {
  const body = new RegExp(`^export interface ${name}\\b.*?\\{\\n(.*?)^\\}`, 'ms').exec(
    readDocument('api/index.md'),
  )![1]!;
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, member]) => member!);
}
