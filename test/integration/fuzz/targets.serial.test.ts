import { expect, it } from '@jest/globals';
import { complaints, targets } from '../../fuzz/targets.js';

// The short form of `npm run test:fuzz`.
const INPUTS = 20_000;

it.each(targets.map(({ target, share }) => [target.name, target, share] as const))(
  '%s: no crash, nothing unhandled, no hang, and legitimate traffic as before',
  async (_name, target, share) => {
    expect(complaints(await target.run(INPUTS * share, 20_261_130))).toEqual([]);
  },
  120_000,
);
