import { expect, it } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { readDocument } from '../../support/documents.js';

const documents = [
  ...markdownIn('.'),
  ...markdownIn('docs'),
  ...markdownIn('docs/adr'),
  ...['bench/README.md', 'sample-app/README.md', 'test/chaos/README.md'],
];

it('every link of a document leads to a file of the repository, and to a heading in it', () => {
  const broken = documents.flatMap((document) =>
    linksOf(document)
      .filter(
        ({ path, heading }) => !existsSync(path) || (heading !== undefined && !hasHeading(path, heading)),
      )
      .map(({ link }) => `${document}: ${link}`),
  );
  expect(broken).toEqual([]);
});

function markdownIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .map((file) => posix.join(folder, file));
}

/** The links of a document to other places in the repository. */
function linksOf(document: string): { link: string; path: string; heading: string | undefined }[] {
  const links = [...readDocument(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links
    .filter((link) => !/^https?:/.test(link))
    .map((link) => {
      const [file, heading] = link.split('#');
      return { link, path: file === '' ? document : join(posix.dirname(document), file!), heading };
    });
}

/** Anchors are made from headings as GitHub makes them. */
function hasHeading(path: string, anchor: string): boolean {
  return readDocument(path)
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    )
    .includes(anchor);
}
