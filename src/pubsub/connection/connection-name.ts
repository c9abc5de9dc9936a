import { hostname } from 'node:os';

const PACKAGE = 'nestjs-cluster-pubsub';

/** Redis refuses a name with any character outside of `!` to `~` (`validateClientName`), and the connection has none. */
const REFUSED = /[^!-~]+/g;

/**
 * The name of a connection in `CLIENT LIST`: `nestjs-cluster-pubsub:<prefix>:<host>:<pid>`, without `<prefix>:` where
 * there is none. Read it from the right: host and pid contain no colon, a prefix may.
 */
export function connectionName(prefix: string, host = hostname(), pid = process.pid): string {
  const parts = [
    PACKAGE,
    accepted(prefix).replace(/:+$/, ''),
    accepted(host).replaceAll(':', '-'),
    String(pid),
  ];
  return parts.filter((part) => part !== '').join(':');
}

function accepted(text: string): string {
  return text.replace(REFUSED, '-');
}
