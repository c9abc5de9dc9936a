import type { MessageHandler } from '@nestjs/microservices';
import { describe, expect, it } from '@jest/globals';
import { ChannelNames } from '../../../../src/transport/wire/channel-names.js';
import { HandlerRegistry } from '../../../../src/transport/server/handler-registry.js';
import {
  fallbackWarning,
  handlerSubscriptionsOfAll,
} from '../../../../src/transport/server/handler-subscriptions.js';

const handler = (): MessageHandler => () => Promise.resolve();

function subscriptionsFor(
  fill: (registry: HandlerRegistry) => void,
  { sharded = true, wildcards = true } = {},
) {
  const registry = new HandlerRegistry(wildcards);
  fill(registry);
  return handlerSubscriptionsOfAll(registry.entries, new ChannelNames('p:'), sharded).map(
    ({ kind, name, request, events }) =>
      `${kind} ${name}${request ? ' request' : ''}${' event'.repeat(events.length)}`,
  );
}

describe('the subscriptions of', () => {
  it('an exact request handler: sharded for our clients, classic for stock ones', () => {
    expect(subscriptionsFor((r) => r.addRequest('a', true, handler()))).toEqual([
      'channel p:a request',
      'shard p:a request',
    ]);
  });

  it('an exact request handler where there are no shard channels: a classic channel of its own', () => {
    expect(subscriptionsFor((r) => r.addRequest('a', true, handler()), { sharded: false })).toEqual([
      'channel p:a request',
      'channel p:_cps:req:a request',
    ]);
  });

  it('an exact event handler: wherever the emitter publishes, unless it names a mode', () => {
    expect(subscriptionsFor((r) => r.addEvent('a', true, handler(), undefined))).toEqual([
      'channel p:a event',
      'shard p:a event',
    ]);
    expect(subscriptionsFor((r) => r.addEvent('a', true, handler(), 'classic'))).toEqual([
      'channel p:a event',
    ]);
    expect(subscriptionsFor((r) => r.addEvent('a', true, handler(), 'sharded'))).toEqual(['shard p:a event']);
    expect(subscriptionsFor((r) => r.addEvent('a', true, handler(), 'sharded'), { sharded: false })).toEqual([
      'channel p:a event',
    ]);
  });

  it('a wildcard: by pattern subscription, with one more for requests of our clients', () => {
    expect(subscriptionsFor((r) => r.addRequest('a.*', true, handler()))).toEqual([
      'pattern p:a.* request',
      'pattern p:_cps:req:a.* request',
    ]);
    expect(subscriptionsFor((r) => r.addEvent('a.*', true, handler(), undefined))).toEqual([
      'pattern p:a.* event',
    ]);
  });

  it('an event handler for what each master publishes alone: one subscription, without a prefix', () => {
    expect(subscriptionsFor((r) => r.addEvent('a', true, handler(), undefined, 'all-masters'))).toEqual([
      'channel a event',
    ]);
    expect(subscriptionsFor((r) => r.addEvent('a*', true, handler(), 'classic', 'all-masters'))).toEqual([
      'pattern a* event',
    ]);
  });

  it('conflicting handlers of one pattern: an error', () => {
    const disagreement = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    const registry = new HandlerRegistry(true);
    registry.addEvent('a', true, handler(), undefined, 'all-masters');
    expect(() => registry.addRequest('a', true, handler())).toThrow(disagreement);
    expect(() => registry.addEvent('a', true, handler(), undefined)).toThrow(disagreement);
    registry.addEvent('b', true, handler(), undefined);
    expect(() => registry.addEvent('b', true, handler(), undefined, 'all-masters')).toThrow(disagreement);
  });

  it('a message and an event handler of one pattern: one subscription a channel, with both', () => {
    expect(
      subscriptionsFor((r) => {
        r.addEvent('a', true, handler(), undefined);
        r.addRequest('a', true, handler());
      }),
    ).toEqual(['channel p:a request event', 'shard p:a request event']);
  });

  it('special characters that are escaped, in an object pattern or with wildcards off: an exact channel', () => {
    expect(subscriptionsFor((r) => r.addEvent('a\\*b', true, handler(), 'classic'))).toEqual([
      'channel p:a*b event',
    ]);
    expect(subscriptionsFor((r) => r.addEvent('{"a":"*"}', false, handler(), 'classic'))).toEqual([
      'channel p:{"a":"*"} event',
    ]);
    expect(
      subscriptionsFor((r) => r.addEvent('a*', true, handler(), 'classic'), { wildcards: false }),
    ).toEqual(['channel p:a* event']);
  });

  it('a handler that requests sharded events where there are none: a warning', () => {
    const registry = new HandlerRegistry(true);
    registry.addEvent('a.*', true, handler(), 'sharded');
    registry.addEvent('a', true, handler(), 'sharded');
    const [wildcard, exact] = [...registry.entries];
    expect(fallbackWarning(wildcard!, true)).toContain('wildcards');
    expect(fallbackWarning(exact!, true)).toBeUndefined();
    expect(fallbackWarning(exact!, false)).toContain('Redis 7');
  });
});

describe('HandlerRegistry', () => {
  it('chains several event handlers of one pattern, as Nest does', () => {
    const registry = new HandlerRegistry(true);
    const [one, two, three] = [handler(), handler(), handler()];
    for (const each of [one, two, three]) {
      registry.addEvent('a', true, each, undefined);
    }
    expect(one.next).toBe(two);
    expect(two.next).toBe(three);
    expect(three.next).toBeUndefined();
  });

  it('returns the request handler that was replaced', () => {
    const registry = new HandlerRegistry(true);
    const first = handler();
    expect(registry.addRequest('a', true, first)).toBeUndefined();
    expect(registry.addRequest('a', true, handler())).toBe(first);
  });
});
