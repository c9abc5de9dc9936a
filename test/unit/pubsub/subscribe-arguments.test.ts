import { describe, expect, it } from '@jest/globals';
import {
  checkName,
  flattenNames,
  partOptions,
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

describe('partOptions', () => {
  it.each<[string, unknown, string]>([
    ['all masters', 'all-masters', 'all-masters'],
    ['an address', '127.0.0.1:7000', '127.0.0.1:7000'],
    ['host and port', { host: '::1', port: 7000 }, '::1:7000'],
  ])('takes %s from the last argument', (_what, nodes, place) => {
    expect(partOptions<'utf8'>(['a', ['b'], { nodes } as never])).toEqual({ names: ['a', ['b']], place });
  });

  it('leaves a channel called "nodes" with its handler', () => {
    const args = [{ nodes: onNews }];
    expect(partOptions<'utf8'>(args)).toEqual({ names: args, place: undefined });
    expect(partOptions<'utf8'>([new Map([['nodes', onNews]])]).place).toBeUndefined();
    expect(partOptions<'utf8'>(['nodes'])).toEqual({ names: ['nodes'], place: undefined });
  });

  it('takes options that say nothing', () => {
    expect(partOptions<'utf8'>(['a', { nodes: undefined }])).toEqual({ names: ['a'], place: undefined });
  });

  it.each([['everywhere'], [{ host: 'a' }], [{ port: 1 }], [5], [null], [[]]])(
    'refuses nodes: %j',
    (nodes) => {
      expect(() => partOptions<'utf8'>(['a', { nodes } as never])).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    },
  );
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
