import { describe, expect, it } from '@jest/globals';
import {
  checkName,
  flattenNames,
  readSubscribeArguments,
  type NamesArgument,
  type SubscribeArgument,
} from '../../../src/pubsub/subscribe-arguments.js';

const onNews = (): void => undefined;
const onSports = (): void => undefined;

describe('readSubscribeArguments', () => {
  it('takes names, lists of names and names with handlers, in any mixture and in order', () => {
    const binary = Buffer.from([0xff]);
    expect(
      readSubscribeArguments<'utf8'>([
        'a',
        binary,
        ['b', 'c'],
        { news: onNews },
        new Map([[binary, onSports]]),
      ]),
    ).toEqual([
      { name: 'a', handler: undefined },
      { name: binary, handler: undefined },
      { name: 'b', handler: undefined },
      { name: 'c', handler: undefined },
      { name: 'news', handler: onNews },
      { name: binary, handler: onSports },
    ]);
  });

  it.each<[string, unknown[]]>([
    ['nothing at all', []],
    ['an empty list', [[]]],
    ['an empty map of handlers', [{}]],
    ['a number', [5]],
    ['undefined', [undefined]],
    ['null', [null]],
    ['a list with a number', [['a', 5]]],
    ['a handler that is none', [{ news: 'handler' }]],
    ['a Map with a name that is none', [new Map([[5, onNews]])]],
  ])('refuses %s', (_what, args) => {
    expect(() => readSubscribeArguments(args as SubscribeArgument<'utf8'>[])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('flattenNames', () => {
  it('takes names and lists of names', () => {
    expect(flattenNames(['a', ['b', Buffer.from('c')], []])).toEqual(['a', 'b', Buffer.from('c')]);
    expect(flattenNames([])).toEqual([]);
  });

  it.each([[5], [undefined], [null], [{}], [[null]]])('refuses %j', (arg) => {
    expect(() => flattenNames([arg as NamesArgument])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('checkName', () => {
  it('says what it was given instead of a name', () => {
    expect(() => checkName(null)).toThrow('not null');
    expect(() => checkName(Symbol('x'))).toThrow('not symbol');
  });
});
