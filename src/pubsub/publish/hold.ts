import { PublishQueue } from './publish-queue.js';

/**
 * Why a lane's messages wait:
 *
 * - `verifying`: fewer subscribers than before took the last one; the node is asked whether it still owns the slot
 * - `following`: the slot has moved; its subscribers are on their way to the new owner
 */
export type HoldState = 'verifying' | 'following';

/** The messages of one lane that wait for its subscribers. */
export class Hold {
  readonly queue = new PublishQueue();

  constructor(
    public state: HoldState,
    /** How many subscribers to wait for. */
    public expected: number,
    /** Not to be released before that, by the monotonic clock, in ms. */
    public earliest: number,
    /** No longer to be waited for subscribers than until then. */
    public latest: number,
  ) {}
}
