// npm run test:fuzz [-- --inputs 1000000 --seed 1 --only resp]: what nobody should send, to every part that reads it.
import { parseArgs } from 'node:util';
import { complaints, targets } from './targets.js';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);
console.log(`seed ${String(seed)}`);
for (const { target, share } of targets) {
  if (values.only !== undefined && values.only !== target.name) continue;
  const before = performance.now();
  const outcome = await target.run(Math.ceil(Number(values.inputs) * share), seed);
  const wrong = complaints(outcome);
  const { sent, right } = outcome.legitimate ?? { sent: 0, right: 0 };
  const beside = sent === 0 ? '' : `, beside it ${String(right)} of ${String(sent)} right`;
  const seconds = Math.round((performance.now() - before) / 1_000);
  console.log(
    `${target.name}: ${String(outcome.inputs)} inputs in ${String(seconds)} s${beside}, ${String(wrong.length)} problems`,
  );
  wrong.slice(0, 20).forEach((text) => console.log(`  ${text}`));
  if (wrong.length > 0) process.exitCode = 1;
}
