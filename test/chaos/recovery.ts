import type { Evidence } from './evidence.js';
import { streamsOf } from './streams.js';

/** A message that takes longer than this to come was held up, in ms. */
const prompt = 250;

export interface Recovery {
  /** From the fault until every subscription gets its messages promptly again, in ms; Infinity: it never did. */
  readonly afterFault: number;
  /** The same from the last promotion that followed the fault, where there was one. */
  readonly afterPromotion?: number;
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
    for (const { subscriber, lane, publications, deliveries } of streams) {
      const came = new Map(deliveries.map(({ n, at }) => [n, at]));
      // From the end: after the last message that was late or did not come, all is well.
      let back = false;
      for (const { n, started, outcome } of publications.toReversed()) {
        if (started < fault) break;
        const at = came.get(n);
        if (started < next && outcome !== 'pending' && (at === undefined || at - started > prompt)) {
          disturbed.add(`${subscriber.name} ${lane.kind} ${lane.name}`);
          // Between one that did not come and the next that did, the hole ended; with hundreds of streams, the last of
          // those that did not come is near that moment.
          last = Math.max(last, at ?? (back ? started : Infinity));
          break;
        }
        back ||= at !== undefined;
      }
    }
    const promotion = promotions.filter((at) => at >= fault && at < next).at(-1);
    return {
      afterFault: last - fault,
      ...(promotion === undefined ? {} : { afterPromotion: Math.max(0, last - promotion) }),
      disturbed: disturbed.size,
    };
  });
}
