import { displayName } from './channel-key.js';
import { PublishError, type ClusterPubSubError, type PublishOutcome } from './errors.js';
import type { Lane } from './lane.js';
import type { NodeKey } from './node-address.js';
import type { Payload } from './options.js';

export type PublishCommand = 'PUBLISH' | 'SPUBLISH';

/**
 * How one publish differs from the rule.
 *
 * @publicApi
 */
export interface PublishOptions {
  /**
   * Believe a count of 0 only from a node that says itself that it owns the slot, else send the same bytes to the
   * owner: a demoted master still takes messages and counts none. Receivers must bear a second copy. Default false.
   */
  verifyZero?: boolean | undefined;
  /**
   * `owner` (default): the master that owns the channel's slot takes the message, and its count is exact for those
   * subscribed to the channel by name. `patterns`: the master where pattern subscriptions stand takes it, and its
   * count is exact for those. Either way a classic message reaches both.
   */
  via?: 'owner' | 'patterns' | undefined;
  /** Whether this message is numbered. Default: as the `sequence` option of the `ClusterPubSub` says. */
  sequence?: boolean | undefined;
}

/** A message on its way to Redis. */
export interface Publication {
  readonly lane: Lane;
  readonly data: Payload;
  readonly verifyZero: boolean;
  readonly sequenced: boolean;
  /** Which call this was: what has to wait goes out in the order of the calls. */
  readonly serial: number;
  /** Its place in the sequence of its lane, once it has been written. */
  stamp: string | undefined;
  /** Whether it has waited for its node or its subscribers, and was counted among those that may. */
  waited: boolean;
  /** Whether a copy may have reached Redis without an answer. */
  doubtful: boolean;
  /** The count of a copy that Redis took, though perhaps at a node that should not have. */
  answered: number | undefined;
  /** When to give up, in ms since the epoch; told when it first has to wait. */
  deadline: number;
  /** How often its count was too low to be believed. */
  doubts: number;
  redirects: number;
  /** How often Redis has refused it with an error that passes. */
  refusals: number;
  resolve(count: number): void;
  reject(error: ClusterPubSubError): void;
}

/** Who sends what has waited, and tells what cannot be sent. */
export interface PublicationOwner {
  dispatch(publication: Publication): void;
  fail(publication: Publication, error: ClusterPubSubError): void;
}

/** Whether receivers bear a second copy. */
export function isRepeatable({ stamp, verifyZero }: Publication): boolean {
  return stamp !== undefined || verifyZero;
}

/** The error of a message that has to be given up: what became of it, and why. */
export function publishFailure(
  { lane, doubtful }: Publication,
  node: NodeKey | undefined,
  cause: unknown,
): PublishError {
  const outcome: PublishOutcome = doubtful ? 'unknown' : 'not-delivered';
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PublishError(displayName(lane.channel), node, outcome, reason, { cause });
}
