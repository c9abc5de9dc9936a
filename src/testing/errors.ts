/**
 * What went wrong with a local server or cluster:
 *
 * - `REDIS_SERVER_NOT_FOUND`: there is no `redis-server` and no `valkey-server`; the message says how to install one
 * - `REDIS_SERVER_FAILED`: a server ended instead of starting; the message has the last lines of its log
 * - `TIMEOUT`: the cluster did not get where it should in time; the message says what was still missing
 * - `REFUSED`: a server refused a command of ours
 * - `UNKNOWN_NODE`: a handle was given a node that is not of this cluster, or not in the role it needs
 * - `STOPPED`: a handle was used after `stop()`
 */
export type LocalClusterErrorCode =
  'REDIS_SERVER_NOT_FOUND' | 'REDIS_SERVER_FAILED' | 'TIMEOUT' | 'REFUSED' | 'UNKNOWN_NODE' | 'STOPPED';

/** A local server or cluster could not do what it was asked to. */
export class LocalClusterError extends Error {
  override readonly name = 'LocalClusterError';

  constructor(
    readonly code: LocalClusterErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
