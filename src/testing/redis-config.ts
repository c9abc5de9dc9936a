/** Directives of redis.conf with their values as written there. A list becomes one line per value. */
export type RedisConfig = Readonly<Record<string, string | number | readonly (string | number)[]>>;

/** The text of a redis.conf. */
export function renderConfig(config: RedisConfig): string {
  return Object.entries(config)
    .flatMap(([directive, value]) => asList(value).map((one) => `${directive} ${one === '' ? '""' : one}\n`))
    .join('');
}

/** Directives that make servers require, and replicas send, a password. */
export function passwordConfig(password: string | undefined): RedisConfig {
  if (password === undefined) return {};
  const quoted = `"${password.replace(/[\\"]/g, '\\$&')}"`;
  return { requirepass: quoted, masterauth: quoted };
}

function asList(value: RedisConfig[string]): readonly (string | number)[] {
  return typeof value === 'object' ? value : [value];
}
