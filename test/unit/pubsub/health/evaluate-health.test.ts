import { describe, expect, it } from '@jest/globals';
import { evaluateHealth, type HealthInput } from '../../../../src/pubsub/health/evaluate-health.js';
import { readHealthLimits } from '../../../../src/pubsub/health/health-options.js';
import type { NodeReport } from '../../../../src/pubsub/health/node-check.js';

const REPLY = { roundTrip: 1, works: true, refusals: [] } as unknown as NonNullable<NodeReport['reply']>;

function master(node: string, reply?: Partial<typeof REPLY>): NodeReport {
  return reply === undefined
    ? { node: node as NodeReport['node'], role: 'master', unreachable: 'gone' }
    : { node: node as NodeReport['node'], role: 'master', reply: { ...REPLY, ...reply } };
}

function nodes(...names: string[]): HealthInput['needed'] {
  return new Set(names) as unknown as HealthInput['needed'];
}

function evaluate(profile: 'people' | 'readiness', input: Partial<HealthInput>) {
  const whole: HealthInput = {
    masters: [],
    replicas: [],
    foreign: [],
    probes: new Map(),
    unconfirmed: [],
    counts: { numsub: {}, shardNumsub: {} },
    lastGap: null,
    needed: nodes('h:1'),
    waitingForNode: () => 0,
    ...input,
  };
  return evaluateHealth(whole, readHealthLimits({ for: profile }));
}

describe('a master that does not answer', () => {
  const masters = [master('h:1', {}), master('h:2')];

  it('is down for people, and degraded for readiness where it is not needed', () => {
    expect(evaluate('people', { masters })).toEqual({
      status: 'down',
      reasons: ['Master h:2 is unreachable: gone.'],
    });
    expect(evaluate('readiness', { masters })).toEqual({
      status: 'degraded',
      reasons: [
        'Master h:2 is unreachable: gone. This process has no subscription there, and has not published to it lately.',
      ],
    });
  });

  it('is down for readiness where it is needed', () => {
    const needed = nodes('h:2');
    expect(evaluate('readiness', { masters, needed })).toEqual({
      status: 'down',
      reasons: ['Master h:2 is unreachable: gone.'],
    });
  });

  it('is down for readiness where none answers, whatever is needed', () => {
    const all = [master('h:2'), master('h:3')];
    expect(evaluate('readiness', { masters: all })).toMatchObject({ status: 'down' });
  });
});

describe('a probe that does not come back', () => {
  const masters = [master('h:1', {}), master('h:2', {})];
  const lostAt = (node: string) =>
    new Map([[node, { outcome: 'lost', reason: 'late' }]]) as unknown as HealthInput['probes'];

  it('is down for readiness at a master that is needed', () => {
    expect(evaluate('readiness', { masters, probes: lostAt('h:1') }).status).toBe('down');
    expect(evaluate('readiness', { masters, probes: lostAt('h:2') }).status).toBe('degraded');
    expect(evaluate('people', { masters, probes: lostAt('h:2') }).status).toBe('down');
  });
});

describe('a cluster that has failed', () => {
  const masters = [master('h:1', { works: false }), master('h:2')];
  const reason = 'Cluster state is "fail" according to h:1.';

  it('is degraded for readiness, because messages pass all the same', () => {
    const { status, reasons } = evaluate('readiness', { masters });
    expect([status, reasons[1]]).toEqual(['degraded', reason]);
    expect(evaluate('people', { masters }).status).toBe('down');
  });

  it('is down for readiness while messages wait for a master that answers', () => {
    const waitingForNode = (node: string) => (node === 'h:1' ? 1 : 0);
    const { status, reasons } = evaluate('readiness', { masters, waitingForNode });
    expect([status, reasons[0]]).toEqual(['down', reason]);
  });
});
