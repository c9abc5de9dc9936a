import { describe, expect, it } from '@jest/globals';
import { SequenceSource } from '../../../src/pubsub/sequence-source.js';
import { parseStamp } from '../../../src/pubsub/stamp.js';

describe('SequenceSource', () => {
  it('numbers the messages of a counter from 0, in base 36, without a hole', () => {
    const source = new SequenceSource('p');
    const stamps = Array.from({ length: 2_000 }, () => source.next('orders'));
    expect(stamps[0]).toBe('p.0.0');
    expect(stamps[35]).toBe('p.0.z');
    expect(stamps.map((stamp) => parseStamp(stamp)?.seq)).toEqual(stamps.map((_, index) => index));
  });

  it('keeps counters apart by their epoch', () => {
    const source = new SequenceSource('p');
    expect([source.next('a'), source.next('b'), source.next('a')]).toEqual(['p.0.0', 'p.1.0', 'p.0.1']);
  });

  it('starts a spoilt counter under an epoch that was never used', () => {
    const source = new SequenceSource('p');
    source.next('a');
    source.next('b');
    source.spoil('a');
    source.spoil('of nobody');
    expect([source.next('a'), source.next('a'), source.next('b')]).toEqual(['p.2.0', 'p.2.1', 'p.1.1']);
  });

  it('remembers counters that are in use, and starts forgotten ones under a new epoch', () => {
    const source = new SequenceSource('p', 10);
    const used: (string | undefined)[] = [];
    source.next('forgotten');
    for (let index = 0; index < 100; index += 1) {
      source.next(`passing ${String(index)}`);
      used.push(parseStamp(source.next('used'))?.stream);
    }
    expect(new Set(used).size).toBe(1);
    expect(source.next('forgotten')).toMatch(/^p\..+\.0$/);
  });

  it('has a publisher of eight characters that is its own', () => {
    const publishers = Array.from({ length: 100 }, () => new SequenceSource().next('a').split('.')[0]);
    expect(new Set(publishers).size).toBe(100);
    for (const publisher of publishers) {
      expect(publisher).toMatch(/^[\w-]{8}$/);
    }
  });
});
