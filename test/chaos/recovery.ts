import type { Evidence } from './evidence.js';
import { type Stream, streamsOf } from './streams.js';

/** A message that takes longer than this to come was held up, in ms. */
const prompt = 250;

export interface Recovery {
  /** From the fault until every subscription gets its messages promptly again, in ms; Infinity: it never did. */
  readonly afterFault: number;
  /** The same from the last promotion that followed the fault, where there was one. */
  readonly afterPromotion?: number;
  /** The longest time that one subscription went without its messages, in ms; Infinity: for good. */
  readonly longestPause: number;
  /** Whose pause that was. */
  readonly longestPauseOf?: string;
  /** How many subscriptions (of all subscribers) were held up or had losses. */
  readonly disturbed: number;
}

/** How long each fault was felt: in the messages published from it until the next. */
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
      const { subscriber, lane, publisher, channel } = stream;
      for (const pause of pausesOf(stream, fault, next)) {
        const who = `${subscriber.name} ${lane.kind} ${lane.name}`;
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
 * Runs of messages that were late or did not come, of those published between two moments. A run lasts until the last
 * of its messages came; of those that never came the moment of publishing stands: with hundreds of streams, the last of
 * them is near the end of the hole.
 */
function pausesOf({ publications, deliveries }: Stream, since: number, until: number): Pause[] {
  const came = new Map(deliveries.map(({ n, at }) => [n, at]));
  const pauses: Pause[] = [];
  let pause: Pause | undefined;
  for (const { n, started, outcome } of publications) {
    if (started < since || outcome === 'pending') continue;
    const at = came.get(n);
    if (at !== undefined && at - started <= prompt) {
      pause = undefined;
    } else if (started < until) {
      if (pause === undefined) pauses.push((pause = { from: started, to: started }));
      pause.to = Math.max(pause.to, at ?? started);
    }
  }
  // Where nothing has come since, it is not over.
  const open = pause;
  if (open !== undefined && !deliveries.some(({ at }) => at >= open.to)) open.to = Infinity;
  return pauses;
}
