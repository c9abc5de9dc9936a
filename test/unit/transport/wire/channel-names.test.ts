import { describe, expect, it } from '@jest/globals';
import { ChannelNames, isReserved, parsePattern } from '../../../../src/transport/wire/channel-names.js';

describe('parsePattern', () => {
  it.each(['*', 'order.*', 'order.?', 'order.[ab]', 'a\\*b*'])('takes %s for a wildcard', (pattern) => {
    expect(parsePattern(pattern).kind).toBe('wildcard');
  });

  it.each([
    ['order.created', 'order.created'],
    ['a\\*b', 'a*b'],
    ['a\\?b\\[c\\]', 'a?b[c]'],
    ['C:\\temp', 'C:\\temp'],
    ['a\\\\b', 'a\\b'],
    ['closing ] alone', 'closing ] alone'],
    ['ends with \\', 'ends with \\'],
    ['', ''],
  ])('takes %s for the channel %s', (pattern, name) => {
    expect(parsePattern(pattern)).toEqual({ kind: 'exact', name });
  });

  it('doubles a backslash that escapes nothing, because Redis would take it for an escape', () => {
    expect(parsePattern('C:\\t*')).toEqual({ kind: 'wildcard', glob: 'C:\\\\t*' });
    expect(parsePattern('a\\*b*')).toEqual({ kind: 'wildcard', glob: 'a\\*b*' });
  });
});

describe('ChannelNames', () => {
  const names = new ChannelNames('shop*:');

  it('puts the prefix before every name', () => {
    expect(names.channel('order')).toBe('shop*:order');
    expect(names.request('order')).toBe('shop*:_cps:req:order');
  });

  it('pins an inbox to the slot of its tag', () => {
    expect(names.inbox('client', '7')).toBe('shop*:_cps:in:client:{7}');
  });

  it('escapes what is special to Redis in the prefix of a pattern', () => {
    expect(names.pattern('order.*')).toBe('shop\\*:order.*');
    expect(names.requestPattern('order.*')).toBe('shop\\*:_cps:req:order.*');
  });

  it('distinguishes our own channels from those of users, whatever the prefix', () => {
    expect(isReserved(names.inbox('client', '7'))).toBe(true);
    expect(isReserved(new ChannelNames('').request('order'))).toBe(true);
    expect(isReserved('order._cps')).toBe(false);
  });
});
