import type { Stage } from './stage.js';
import type { WorldOptions } from './world.js';

/** One kind of fault. */
export interface Scenario {
  /** The name for `--only`. */
  readonly name: string;
  /** True if users must not notice it at all: nothing lost, nothing refused, no gap. Default false. */
  readonly quiet?: boolean;
  /** Requirements on the world. */
  readonly needs?: Partial<Pick<WorldOptions, 'proxies' | 'slotsRefreshInterval'>>;
  /** True if the cluster is another one afterwards. Default false. */
  readonly leavesTraces?: boolean;
  /** Causes the fault while the traffic goes on, and repairs it. Resolves when the cluster is intact again. */
  run(stage: Stage): Promise<void>;
}
