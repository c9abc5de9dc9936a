import { describe, expect, it } from '@jest/globals';
import {
  flattenNames,
  readSubscription,
  type NamesArgument,
  type SubscribeArgument,
} from '../../../../src/pubsub/subscription/subscribe-arguments.js';

const onNews = (): void => undefined;
const onSports = (): void => undefined;

describe('readSubscription', () => {
  it('takes names, lists of names and names with handlers, in any mixture and in order', () => {
    const binary = Buffer.from([0xff]);
    const args = ['a', binary, ['b', 'c'], { news: onNews }, new Map([[binary, onSports]])];
    expect(readSubscription<'utf8'>(args).requests).toEqual([
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
    ['options alone', [{ nodes: 'all-masters' }]],
    ['a number', [5]],
    ['undefined', [undefined]],
    ['null', [null]],
    ['a list with a number', [['a', 5]]],
    ['a handler that is none', [{ news: 'handler' }]],
    ['a Map with a name that is none', [new Map([[5, onNews]])]],
    ['a Set', [new Set(['a'])]],
    ['bytes that are no Buffer', [new Uint8Array([97])]],
  ])('refuses %s', (_what, args) => {
    expect(() => readSubscription(args as SubscribeArgument<'utf8'>[])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  it.each<[string, unknown, string]>([
    ['all masters', 'all-masters', 'all-masters'],
    ['an address', '127.0.0.1:7000', '127.0.0.1:7000'],
    ['host and port', { host: '::1', port: 7000 }, '::1:7000'],
  ])('takes %s from the last argument', (_what, nodes, target) => {
    const { requests, target: read } = readSubscription<'utf8'>(['a', ['b'], { nodes } as never]);
    expect(requests.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(read).toBe(target);
  });

  it('leaves a channel called "nodes" with its handler', () => {
    const named = { requests: [{ name: 'nodes', handler: onNews }], target: undefined };
    expect(readSubscription<'utf8'>([{ nodes: onNews }])).toEqual(named);
    expect(readSubscription<'utf8'>([new Map([['nodes', onNews]])])).toEqual(named);
    expect(readSubscription<'utf8'>(['nodes']).target).toBeUndefined();
  });

  it('takes a name whose handler is undefined for one without', () => {
    const without = [{ name: 'a', handler: undefined }];
    expect(readSubscription<'utf8'>([{ a: undefined }]).requests).toEqual(without);
    expect(readSubscription<'utf8'>([new Map([['a', undefined]])]).requests).toEqual(without);
  });

  it.each<[string, unknown[], string]>([
    ['that come first', [{ nodes: 'all-masters' }, 'a'], 'The options ({ nodes }) must be the last argument'],
    ['with a word too many', ['a', { nodes: 'all-masters', x: 1 }], 'Unknown option "x"'],
    [
      'among handlers',
      ['a', { nodes: 'all-masters', b: onNews }],
      'The handler of "nodes" must be a function',
    ],
  ])('says what is wrong with options %s', (_what, args, message) => {
    expect(() => readSubscription(args as SubscribeArgument<'utf8'>[])).toThrow(message);
  });

  it('takes options that say nothing', () => {
    expect(readSubscription<'utf8'>(['a', { nodes: undefined }]).target).toBeUndefined();
  });

  it.each([['everywhere'], [{ host: 'a' }], [{ port: 1 }], [5], [null], [[]]])(
    'refuses nodes: %j',
    (nodes) => {
      expect(() => readSubscription<'utf8'>(['a', { nodes } as never])).toThrow(
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
