import type { RedisConfig } from './redis-config.js';

/** The options of all local servers. */
export interface LocalServerOptions {
  /**
   * Additional directives for redis.conf with their values as written there; a list becomes one line per value, as in
   * `{ 'rename-command': ['SPUBLISH ""', 'SSUBSCRIBE ""'] }`. Default: none.
   */
  readonly config?: RedisConfig | undefined;
  /** Sets `requirepass` and `masterauth`, and is used to control the servers. Default: no password. */
  readonly password?: string | undefined;
}

/** The password of the default user, from either option. */
export function passwordOf({ password, config }: LocalServerOptions): string | undefined {
  return password ?? (typeof config?.requirepass === 'string' ? config.requirepass : undefined);
}
