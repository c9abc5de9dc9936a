import { describe, expect, it } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import type { MigrationDeduplicator } from '../../../../src/pubsub/ordering/migration-dedup.js';
import {
  SUBSCRIPTION_TRANSITIONS,
  SubscriptionState,
  type InterruptionCause,
  type SubscriptionEvent,
  type SubscriptionStateName,
} from '../../../../src/pubsub/subscription/subscription-state.js';

const node = 'a:1' as NodeKey;
const cause: InterruptionCause = { since: new Date(), node, reason: 'connection-lost' };
const migration = {} as MigrationDeduplicator;

/** What brings each event about. */
const EVENTS: Readonly<Record<SubscriptionEvent, (state: SubscriptionState) => void>> = {
  confirmed: (state) => {
    state.confirm(node);
    state.activate();
  },
  'migration started': (state) => {
    state.startMigration(migration);
  },
  'migration over': (state) => {
    state.endMigration(migration);
  },
  'slot left': (state) => {
    state.startGracePeriod(cause, 60_000, () => undefined);
  },
  interrupted: (state) => {
    state.interrupt(cause);
  },
  removed: (state) => {
    state.end();
  },
};

/** The shortest way to each state. */
const WAYS: Readonly<Record<SubscriptionStateName, readonly SubscriptionEvent[]>> = {
  pending: [],
  active: ['confirmed'],
  migrating: ['confirmed', 'migration started'],
  grace: ['confirmed', 'slot left'],
  lost: ['confirmed', 'interrupted'],
  ended: ['removed'],
};

function stateIn(name: SubscriptionStateName): SubscriptionState {
  const state = new SubscriptionState();
  for (const event of WAYS[name]) EVENTS[event](state);
  expect(state.name).toBe(name);
  return state;
}

/** Repeating these changes nothing, and a migration that is not under way cannot be over. */
const WITHOUT_EFFECT: readonly (readonly [SubscriptionStateName, SubscriptionEvent])[] = [
  ['active', 'confirmed'],
  ['migrating', 'confirmed'],
  ['migrating', 'migration started'],
  ['ended', 'removed'],
  ...(['pending', 'active', 'grace', 'lost', 'ended'] as const).map(
    (name) => [name, 'migration over'] as const,
  ),
];

describe('the state of a subscription', () => {
  const names = Object.keys(WAYS) as SubscriptionStateName[];
  const events = Object.keys(EVENTS) as SubscriptionEvent[];

  it.each(SUBSCRIPTION_TRANSITIONS.map(({ from, to, on }) => [from, to, on] as const))(
    'goes from %s to %s when %s',
    (from, to, on) => {
      const state = stateIn(from);
      EVENTS[on](state);
      expect(state.name).toBe(to);
      state.end();
    },
  );

  it.each(WITHOUT_EFFECT)('stays %s when %s', (name, event) => {
    const state = stateIn(name);
    EVENTS[event](state);
    expect(state.name).toBe(name);
    state.end();
  });

  const legal = new Set(
    [...SUBSCRIPTION_TRANSITIONS.map(({ from, on }) => [from, on]), ...WITHOUT_EFFECT].map(String),
  );
  const illegal = names.flatMap((name) =>
    events.filter((event) => !legal.has(String([name, event]))).map((event) => [name, event] as const),
  );

  it.each(illegal)('refuses the illegal move: %s, and %s', (name, event) => {
    const state = stateIn(name);
    expect(() => {
      EVENTS[event](state);
    }).toThrow('Illegal move');
    state.end();
  });

  it('keeps the cause of its grace period when it is lost, and forgets it when it is active again', () => {
    const state = stateIn('grace');
    state.interrupt({ ...cause, reason: 'slot-moved' });
    expect(state.cause).toBe(cause);
    EVENTS.confirmed(state);
    expect(state.cause).toBeUndefined();
  });

  it('tries again what was refused, later each time until it is confirmed', async () => {
    const state = new SubscriptionState();
    await new Promise<void>((resolve) => {
      state.retryIn(1, resolve, new Error('BUSY'));
      expect(state.paused).toBe(true);
    });
    expect([state.paused, state.refusals]).toEqual([false, 1]);
    EVENTS.confirmed(state);
    expect(state.refusals).toBe(0);
  });

  it('settles those who wait for its confirmation once', async () => {
    const state = new SubscriptionState();
    const settled: unknown[] = [];
    state.addWaiter({
      promise: Promise.resolve(undefined),
      resolve: () => settled.push('resolved'),
      reject: () => settled.push('rejected'),
    });
    expect(state.awaited).toBe(true);
    state.rejectWaiters(new Error('refused'));
    state.resolveWaiters();
    expect(settled).toEqual(['rejected']);
    expect(state.awaited).toBe(false);
  });
});
