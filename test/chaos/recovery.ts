import type { Evidence } from './evidence.js';
import { type Stream, streamsOf } from './streams.js';

/** A message that takes longer to arrive counts as delayed. */
const PROMPT_MS = 250;

export interface Recovery {
  /** Ms from the fault until every subscription receives its messages promptly again; Infinity: never. */
  readonly afterFault: number;
  /** The same from the last promotion that followed the fault, where there was one. */
  readonly afterPromotion?: number;
  /** The longest time in ms that one subscription received no messages; Infinity: to the end. */
  readonly longestPause: number;
  /** The subscription with that pause. */
  readonly longestPauseOf?: string;
  /** Subscriptions (of all subscribers) with delays or losses. */
  readonly disturbed: number;
}

/** Measures the effect of each fault on the messages published from then until the next fault. */
export function recoveriesOf(
  evidence: Evidence,
  faults: readonly number[],
  promotions: readonly number[],
): Recovery[] {
  const streams = streamsOf(evidence);
  return faults.map((fault, index) => {
    const next = faults[index + 1] ?? Infinity;
    const disturbed = new Set<string>();
    let last = fault;
    let longestPause = 0;
    let longestPauseOf: string | undefined;
    for (const stream of streams) {
      const { subscriber, subscription, publisher, channel } = stream;
      for (const pause of pausesOf(stream, fault, next)) {
        const who = `${subscriber.name} ${subscription.kind} ${subscription.name}`;
        disturbed.add(who);
        last = Math.max(last, pause.to);
        if (pause.to - pause.from > longestPause) {
          longestPause = pause.to - pause.from;
          longestPauseOf = `${who} from ${publisher} on ${channel.name} at ${pause.from - fault} ms`;
        }
      }
    }
    const promotion = promotions.filter((at) => at >= fault && at < next).at(-1);
    return {
      afterFault: last - fault,
      ...(promotion === undefined ? {} : { afterPromotion: Math.max(0, last - promotion) }),
      longestPause,
      ...(longestPauseOf === undefined ? {} : { longestPauseOf }),
      disturbed: disturbed.size,
    };
  });
}

interface Pause {
  readonly from: number;
  to: number;
}

/**
 * Finds runs of late or missing messages among those published between two moments. A run lasts until the last of its
 * messages arrived; a missing message counts with its time of publishing. With hundreds of streams, the last missing
 * message is near the end of the gap.
 */
function pausesOf({ publications, deliveries }: Stream, since: number, until: number): Pause[] {
  const came = new Map(deliveries.map(({ n, at }) => [n, at]));
  const pauses: Pause[] = [];
  let pause: Pause | undefined;
  for (const { n, started, outcome } of publications) {
    if (started < since || outcome === 'pending') continue;
    const at = came.get(n);
    if (at !== undefined && at - started <= PROMPT_MS) {
      pause = undefined;
    } else if (started < until) {
      if (pause === undefined) pauses.push((pause = { from: started, to: started }));
      pause.to = Math.max(pause.to, at ?? started);
    }
  }
  // If nothing has arrived since, the pause is not over.
  const open = pause;
  if (open !== undefined && !deliveries.some(({ at }) => at >= open.to)) open.to = Infinity;
  return pauses;
}
