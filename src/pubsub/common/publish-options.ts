import { readBoolean, readEnum, readObject } from './validation.js';

export type PublishCommand = 'PUBLISH' | 'SPUBLISH';

/**
 * Options of one `publish()` or `spublish()` call.
 *
 * @publicApi
 */
export interface PublishOptions {
  /**
   * Trust a count of 0 only from a node that confirms that it owns the slot; otherwise send the same bytes to the owner.
   * A demoted master still accepts messages and counts no subscribers. Receivers must tolerate a duplicate. Default false.
   */
  verifyZero?: boolean | undefined;
  /**
   * `owner` (default): publish at the master that owns the channel's slot; the count is exact for subscribers to the
   * channel. `patterns`: publish at the master that carries the pattern subscriptions; the count is exact for those.
   * A classic message reaches both in either case.
   */
  via?: 'owner' | 'patterns' | undefined;
  /** Number this message. Default: the `sequence` option of the `ClusterPubSub`. */
  sequence?: boolean | undefined;
}

const VIA = ['owner', 'patterns'] as const;

/** @throws {@link InvalidArgumentError} */
export function checkPublishOptions(options: PublishOptions): void {
  const { verifyZero = false, sequence = false, via = 'owner' } = readObject('Publish options', options);
  readBoolean('verifyZero', verifyZero);
  readBoolean('sequence', sequence);
  readEnum('via', via, VIA);
}

/**
 * Receives the outcome of a publish: one of the two methods is called, once. An object instead of a promise, because a
 * promise and its reactions cost as much as the rest of a publish.
 */
export interface PublishObserver {
  published(receivers: number): void;
  failed(error: unknown): void;
}
