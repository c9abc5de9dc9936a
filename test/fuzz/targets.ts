import { lyingNodeTarget } from './lying-node.js';
import { packetTarget } from './packets.js';
import { respTarget } from './resp.js';
import type { Outcome, Target } from './target.js';

/** Each with its share of the inputs. */
export const targets: readonly { readonly target: Target; readonly share: number }[] = [
  { target: respTarget, share: 0.5 },
  { target: packetTarget, share: 0.49 },
  { target: lyingNodeTarget, share: 0.01 },
];

/** Of the legitimate traffic while others publish anything. */
const MIN_RIGHT = 0.999;

/** What is wrong with an outcome; empty if nothing is. */
export function complaints({ problems, legitimate }: Outcome): readonly string[] {
  if (legitimate === undefined || legitimate.right >= legitimate.sent * MIN_RIGHT) {
    return problems;
  }
  return [...problems, `${String(legitimate.right)} of ${String(legitimate.sent)} were right`];
}
