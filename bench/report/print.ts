import { type ArmName, titleOf } from '../arms/index.js';
import type { Sample } from '../sample.js';
import { median } from './statistics.js';

export function printThroughput(samples: readonly Sample[], arms: readonly ArmName[]): void {
  const loads = [...new Set(samples.map(({ load }) => load))];
  for (const load of loads) {
    console.log(`\n${load}`);
    for (const arm of arms) {
      const own = samples.filter((sample) => sample.load === load && sample.arm === arm);
      if (own.length === 0) continue;
      const of = (value: (sample: Sample) => number | undefined): string => {
        const values = own.map(value).filter((number) => number !== undefined);
        return values.length === 0 ? '–' : median(values).toFixed(1);
      };
      const lost = own.reduce((sum, sample) => sum + sample.lost, 0);
      console.log(
        `  ${titleOf(arm).padEnd(22)} ${of(({ rate }) => rate).padStart(10)}/s  CPU client ${of(({ clientCpu }) => clientCpu)} server ${of(({ serverCpu }) => serverCpu)} broker ${of(({ brokerCpu }) => brokerCpu)} μs  ${of(({ clientBytes }) => clientBytes)} B${lost > 0 ? `  LOST ${lost}` : ''}`,
      );
    }
  }
}
