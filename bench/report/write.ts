import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Section, sections } from '../options.js';
import type { Results } from '../results.js';
import { chartsOf } from './charts.js';
import { documentOf } from './document.js';
import { writeMarkedSection } from './marked-section.js';

const folder = fileURLToPath(new URL('../results/', import.meta.url));

/**
 * Stores the samples of each section that was measured, and rewrites charts and document from these and from the stored
 * samples of the other sections.
 */
export async function writeResults(results: Results): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const section of sections) {
    const samples = results.samples.filter((sample) => sample.section === section);
    if (samples.length === 0) continue;
    writeJson(fileOf(section), { ...results, samples });
  }
  const recorded = new Map(
    sections.filter((section) => existsSync(fileOf(section))).map((section) => [section, read(section)]),
  );
  for (const [name, svg] of chartsOf([...recorded.values()].flatMap(({ samples }) => samples))) {
    writeFileSync(`${folder}${name}.svg`, svg);
  }
  await writeMarkedSection('bench', documentOf(recorded));
}

/** One sample per line, for readers and diffs; six digits of each number are more than enough. */
export function writeJson(file: string, { samples, ...rest }: Results): void {
  const words = (value: unknown): string =>
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'number' ? Number(inner.toPrecision(6)) : inner,
    );
  const lines = samples.map(words).join(',\n');
  writeFileSync(file, `${words(rest).slice(0, -1)},"samples":[\n${lines}\n]}\n`);
}

function fileOf(section: Section): string {
  return `${folder}${section}.json`;
}

function read(section: Section): Results {
  return JSON.parse(readFileSync(fileOf(section), 'utf8')) as Results;
}
