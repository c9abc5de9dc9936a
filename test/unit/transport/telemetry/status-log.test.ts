import { setTimeout as sleep } from 'node:timers/promises';
import type { LoggerService } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { deferred } from '../../../../src/util/promises.js';
import { StatusLog } from '../../../../src/transport/telemetry/status-log.js';

function logInto(lines: string[]): LoggerService {
  const keep = (line: unknown): void => void lines.push(String(line));
  return { log: keep, warn: keep, error: keep };
}

it('an interruption is a line, and its end another; connecting and closing are none', () => {
  const lines: string[] = [];
  const log = new StatusLog(logInto(lines));
  for (const status of ['connecting', 'connected', 'reconnecting', 'reconnecting', 'connected'] as const) {
    log.changed(status);
  }
  log.changed('closed');
  expect(lines).toEqual([
    'Subscriptions interrupted; resubscribing.',
    expect.stringMatching(/^All subscriptions restored after \d+ ms\.$/),
  ]);
});

it('interruptions that follow closely are counted, and reported with the next that is written', () => {
  const lines: string[] = [];
  const log = new StatusLog(logInto(lines), 1e9);
  for (let n = 0; n < 5; n += 1) {
    log.changed('reconnecting');
    log.changed('connected');
  }
  expect(lines).toHaveLength(2);

  const patient: string[] = [];
  const later = new StatusLog(logInto(patient), 0);
  later.changed('reconnecting');
  later.changed('connected');
  later.changed('reconnecting');
  expect(patient).toHaveLength(3);
});

it('an interruption that lasts is written, however closely it follows another: from when, and how long it took', async () => {
  const lines: string[] = [];
  const written = deferred<undefined>();
  const logger = logInto(lines);
  const log = new StatusLog(
    {
      ...logger,
      warn: (line) => {
        logger.warn(line);
        if (lines.length === 3) written.resolve(undefined);
      },
    },
    100,
  );
  log.changed('reconnecting');
  log.changed('connected');
  log.changed('reconnecting');
  log.changed('connected');
  log.changed('reconnecting');
  await written.promise;
  log.changed('connected');
  const [, , begun, ended] = lines;
  const ago = /interrupted (\d+) ms ago; .* \(and 1 like it before\)/.exec(begun!)?.[1];
  expect(Number(ago)).toBeGreaterThan(50);
  expect(Number(/after (\d+) ms/.exec(ended!)?.[1])).toBeGreaterThanOrEqual(Number(ago));
});

it('nothing is written after closing', async () => {
  const lines: string[] = [];
  const log = new StatusLog(logInto(lines), 200);
  log.changed('reconnecting');
  log.changed('connected');
  log.changed('reconnecting');
  log.changed('closed');
  await sleep(300);
  expect(lines).toHaveLength(2);
});

it('the end of an interruption is always written where its beginning was', () => {
  const lines: string[] = [];
  const log = new StatusLog(logInto(lines), 1e9);
  log.changed('reconnecting');
  log.changed('connected');
  log.changed('reconnecting');
  log.changed('connected');
  expect(lines.at(-1)).toContain('subscriptions restored');
});
