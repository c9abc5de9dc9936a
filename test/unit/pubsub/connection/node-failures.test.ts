import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthenticationError, ClusterUnreachableError } from '../../../../src/pubsub/common/errors.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { NodeFailures } from '../../../../src/pubsub/connection/node-failures.js';
import { RedisReplyError } from '../../../../src/pubsub/resp/reply.js';

const node = '10.0.0.1:7000' as NodeKey;

describe('NodeFailures', () => {
  const refused = new AuthenticationError(node, 'WRONGPASS');
  const full = new ClusterUnreachableError('full', {
    cause: new RedisReplyError('ERR max number of clients'),
  });
  const certificate = new ClusterUnreachableError('certificate', {
    cause: new Error('ERR_TLS_CERT_ALTNAME'),
  });
  const late = new ClusterUnreachableError('late', { cause: new Error('no reply within 2000 ms') });
  let failures: NodeFailures;

  beforeEach(() => {
    jest.useFakeTimers();
    failures = new NodeFailures();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has the last failure of a node, until it is reached', () => {
    expect(failures.of(node)).toBeUndefined();
    failures.note(node, late);
    failures.note(node, certificate);
    expect(failures.of(node)).toBe(certificate);
    failures.forget(node);
    expect(failures.of(node)).toBeUndefined();
  });

  it.each([
    ['a refusal', refused],
    ['an error reply that is the cause', full],
  ])('keeps what Redis said, %s, against what the socket says soon after', (_what, said) => {
    failures.note(node, said);
    failures.note(node, late);
    expect(failures.of(node)).toBe(said);
    jest.advanceTimersByTime(5_001);
    failures.note(node, late);
    expect(failures.of(node)).toBe(late);
  });

  it('takes the newer of two things that Redis said', () => {
    failures.note(node, refused);
    failures.note(node, full);
    expect(failures.of(node)).toBe(full);
  });

  it('forgets the failures of addresses that are not used any more', () => {
    failures.note(node, late);
    jest.advanceTimersByTime(60_001);
    failures.note('10.0.0.2:7000' as NodeKey, late);
    expect(failures.of(node)).toBeUndefined();
  });
});
