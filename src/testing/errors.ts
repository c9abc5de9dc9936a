/**
 * The failures of a local server or cluster:
 *
 * - `REDIS_SERVER_NOT_FOUND`: neither `redis-server` nor `valkey-server` was found; the message explains how to install one
 * - `REDIS_SERVER_FAILED`: a server ended instead of starting; the message contains the last lines of its log
 * - `TIMEOUT`: the cluster did not reach the expected state in time; the message says what was missing
 * - `REFUSED`: a server refused a command
 * - `UNKNOWN_NODE`: a method was given a node that is not in this cluster, or has the wrong role
 * - `STOPPED`: a method was called after `stop()`
 */
export type LocalClusterErrorCode =
  'REDIS_SERVER_NOT_FOUND' | 'REDIS_SERVER_FAILED' | 'TIMEOUT' | 'REFUSED' | 'UNKNOWN_NODE' | 'STOPPED';

/** An operation on a local server or cluster failed. */
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
