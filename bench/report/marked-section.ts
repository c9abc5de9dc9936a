import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const document = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));

/** Rewrites the part of docs/performance.md between `<!-- name:start -->` and `<!-- name:end -->`. */
export async function writeMarkedSection(name: string, section: string): Promise<void> {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const text = existsSync(document) ? readFileSync(document, 'utf8') : `# Performance\n\n${start}\n${end}\n`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document} has no place for the tables: ${start} and ${end}.`);
  const whole = `${text.slice(0, from)}${start}\n\n${section}\n\n${text.slice(to)}`;
  const config = await resolveConfig(document);
  writeFileSync(document, await format(whole, { ...config, filepath: document }));
  console.error(`Written to ${document}`);
}
