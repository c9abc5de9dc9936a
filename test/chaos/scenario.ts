import type { Stage } from './stage.js';
import type { WorldOptions } from './world.js';

/** One kind of fault. */
export interface Scenario {
  /** As `--only` takes it. */
  readonly name: string;
  /** Whether users must not notice it at all: nothing lost, nothing refused, no gap. Default false. */
  readonly quiet?: boolean;
  /** What it needs of the world besides the usual. */
  readonly needs?: Partial<Pick<WorldOptions, 'proxies' | 'slotsRefreshInterval'>>;
  /** Whether it leaves another cluster behind than it found. Default false. */
  readonly leavesTraces?: boolean;
  /** Plays it while the traffic goes on, and mends what it broke. Resolves when the cluster is whole again. */
  run(stage: Stage): Promise<void>;
}
