const ids = new WeakMap<object, number>();
let lastId = 0;

/**
 * Text that is equal for equal values: by content for plain objects, arrays and bytes, by identity for all others, and for
 * those that contain themselves.
 */
export function fingerprint(value: unknown, within: readonly object[] = []): string {
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) {
    const content = within.includes(value) ? undefined : contentOf(value, [...within, value]);
    return content ?? `#${String(idOf(value))}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function contentOf(value: object, within: readonly object[]): string | undefined {
  if (Array.isArray(value)) {
    return `[${value.map((one) => fingerprint(one, within)).join()}]`;
  }
  if (value instanceof Uint8Array) {
    return `bytes:${Buffer.from(value).toString('base64')}`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return undefined;
  }
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  const texts = entries.map(([name, one]) => `${JSON.stringify(name)}:${fingerprint(one, within)}`);
  return `{${texts.sort().join()}}`;
}

function idOf(value: object): number {
  let id = ids.get(value);
  if (id === undefined) {
    id = lastId += 1;
    ids.set(value, id);
  }
  return id;
}
