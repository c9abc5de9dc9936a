import { afterEach, describe, expect, it } from '@jest/globals';
import { transition, type Transitions } from '../../../src/util/transitions.js';

const TRANSITIONS: Transitions<'open' | 'closed'> = { open: ['closed'], closed: [] };

describe('a transition', () => {
  const { NODE_ENV } = process.env;
  afterEach(() => {
    process.env['NODE_ENV'] = NODE_ENV;
  });

  it('leads to the new state, or stays in the same', () => {
    expect(transition('a door', TRANSITIONS, 'open', 'closed')).toBe('closed');
    expect(transition('a door', TRANSITIONS, 'closed', 'closed')).toBe('closed');
  });

  it('throws in tests if it is not in the table', () => {
    expect(() => transition('a door', TRANSITIONS, 'closed', 'open')).toThrow(
      'Illegal transition of a door: closed → open',
    );
  });

  it('never throws in production', () => {
    process.env['NODE_ENV'] = 'production';
    expect(transition('a door', TRANSITIONS, 'closed', 'open')).toBe('open');
  });
});
