import { randomUUID } from 'node:crypto';

/** A channel name that no other test uses. */
export function unique(name = 'channel'): string {
  return `${name}:${randomUUID()}`;
}

export function uniques(count: number, name?: string): string[] {
  const base = unique(name);
  return Array.from({ length: count }, (_, index) => `${base}:${index}`);
}
