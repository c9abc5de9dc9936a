import { describe, expect, it } from '@jest/globals';
import { readLimits, type Limits } from '../../../../src/pubsub/common/options.js';

describe('readLimits', () => {
  it('fills in the defaults', () => {
    expect(readLimits({ commandTimeout: 500, connectTimeout: undefined })).toEqual({
      connectTimeout: 10_000,
      commandTimeout: 500,
      maxQueuedMessages: 10_000,
      bufferLimit: 10_000,
      probeInterval: 1_000,
      probeTimeout: 1_000,
      slotMigrationTimeout: 500,
      shutdownGracePeriod: 5_000,
    });
  });

  it('takes 0 where it turns something off', () => {
    expect(readLimits({ probeInterval: 0, slotMigrationTimeout: 0 })).toMatchObject({
      probeInterval: 0,
      slotMigrationTimeout: 0,
    });
  });

  it.each([0, -1, Number.NaN, Infinity, 2 ** 31, '5'])('refuses %p, and says which it was', (value) => {
    for (const name of ['connectTimeout', 'commandTimeout', 'maxQueuedMessages', 'bufferLimit'] as const) {
      const given = { [name]: value } as Partial<Limits>;
      expect(() => readLimits(given)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(name),
        }),
      );
    }
  });
});
