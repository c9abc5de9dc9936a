import type { Scenario } from '../scenario.js';

/**
 * The scenario with clients that are some ms away from all nodes, which are next to each other. On a busy machine the
 * round trips may take longer than publishers wait, so gaps are allowed: they have to contain every loss.
 */
export function withDelay(ms: number, scenario: Scenario): Scenario {
  return {
    ...scenario,
    quiet: false,
    name: `${scenario.name}-${ms}ms`,
    needs: { ...scenario.needs, proxies: true },
    run: async (stage) => {
      stage.note(`${ms} ms each way between clients and nodes`);
      stage.slowNetwork(ms);
      await stage.traffic(1_000);
      await scenario.run(stage);
      await stage.traffic(1_000);
      stage.slowNetwork(0);
    },
  };
}
