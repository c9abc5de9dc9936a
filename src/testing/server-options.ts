import type { RedisConfig } from './redis-config.js';

/** What all servers started here have in common. */
export interface LocalServerOptions {
  /**
   * More directives for redis.conf, values as written there; a list gives one line for each of its values, as in
   * `{ 'rename-command': ['SPUBLISH ""', 'SSUBSCRIBE ""'] }`. Default: none.
   */
  readonly config?: RedisConfig | undefined;
  /** Sets `requirepass` and `masterauth`, and is what the fault handles log in with. Default: no password. */
  readonly password?: string | undefined;
}

/** The password of the default user, however it was given. */
export function passwordOf({ password, config }: LocalServerOptions): string | undefined {
  return password ?? (typeof config?.requirepass === 'string' ? config.requirepass : undefined);
}
