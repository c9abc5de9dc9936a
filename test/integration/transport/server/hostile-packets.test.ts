import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { ClusterPubSubServer } from '../../../../src/transport/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { type Handlers, transports } from '../../../support/transports.js';

const harness = transports();
/** Opens the engine of a program that may publish to the cluster and is not ours. */
const stranger = engines();

// One hash tag, so one node: it keeps the order of all that the server publishes, and of what we publish after it.
const echo = '{hostile}echo';
const paid = '{hostile}paid';
const megabyte = 'x'.repeat(1_000_000);

/** What an object without a string form does to `String(id)`: it throws. */
const noString = { toString: 1, valueOf: 1 };

describe('a request with a reply channel that is not an inbox', () => {
  it.each([
    ['a message handler, by SPUBLISH', echo, undefined],
    ['a message handler, by PUBLISH', echo, 1],
    ['an event handler, by SPUBLISH', paid, undefined],
    ['an event handler, by PUBLISH', paid, 1],
  ])('to %s, makes the server publish nothing there', async (_what, pattern, c) => {
    const handled: unknown[] = [];
    const server = await serverWith({ [`event:${paid}`]: (data) => void handled.push(data) });
    const [attacker, witness, received] = [stranger(), stranger(), new ReceivedMessages()];
    const target = `${harness.prefix}${paid}`;
    await witness.subscribe({ [target]: received.handler });
    await witness.ssubscribe({ [target]: received.handler });

    const forged = { pattern, data: { orderId: 7 }, id: '1', _cps: { r: target, ...(c && { c }) } };
    expect(await attacker.spublish(`${harness.prefix}${pattern}`, JSON.stringify(forged))).toBeGreaterThan(0);
    await answers();
    await attacker.publish(target, 'end');
    await attacker.spublish(target, 'end');

    await received.has(({ type, data }) => type === 'message' && data === 'end');
    await received.has(({ type, data }) => type === 'smessage' && data === 'end');
    expect(received.data.filter((data) => data !== 'end' && data !== JSON.stringify(forged))).toEqual([]);
    expect(handled).not.toContainEqual({ orderId: 7 });
    expect(server.malformed).toBe(1);
  });
});

describe.each([
  ['a deserializer', {}],
  [
    'an asynchronous deserializer',
    { deserializer: { deserialize: (packet: never) => Promise.resolve(packet) } },
  ],
])('with %s, a request that cannot be answered is malformed, and the server goes on:', (_how, options) => {
  it.each<[string, unknown, string]>([
    ['an id that has no string form', noString, '_cps:in:a'],
    ['an id that is a list', [1], '_cps:in:a'],
    ['no id', undefined, '_cps:in:a'],
    ['an id of a megabyte', megabyte, '_cps:in:a'],
    ['an inbox of a megabyte', '1', `_cps:in:${megabyte}`],
  ])('%s', async (_what, id, r) => {
    const asked: unknown[] = [];
    const server = await serverWith({ [echo]: (data) => (asked.push(data), data) }, options);
    await stranger().spublish(
      `${harness.prefix}${echo}`,
      JSON.stringify({ pattern: echo, data: 'hostile', id, _cps: { r } }),
    );
    await answers();
    expect(server.malformed).toBe(1);
    expect(asked).toEqual(['after']);
  });

  it.each<[string, unknown]>([
    ['an id that has no string form', noString],
    ['an id of a megabyte', megabyte],
  ])('%s, of a request in the form of stock Nest', async (_what, id) => {
    const asked: unknown[] = [];
    const server = await serverWith({ [echo]: (data) => (asked.push(data), data) }, options);
    await stranger().publish(
      `${harness.prefix}${echo}`,
      JSON.stringify({ pattern: echo, data: 'hostile', id }),
    );
    await answers();
    expect(server.malformed).toBe(1);
    expect(asked).toEqual(['after']);
  });

  it('bytes for a field of a packet that is not an object', async () => {
    const server = await serverWith({}, options);
    const head = Buffer.from('{"_cps":{"w":1,"bin":"data"}}');
    await stranger().spublish(
      `${harness.prefix}${echo}`,
      Buffer.concat([Buffer.from([0, 0, 0, 0, head.length]), head, Buffer.from('bytes')]),
    );
    await answers();
    expect(server.malformed).toBe(1);
  });
});

function serverWith(handlers: Handlers, options = {}): Promise<ClusterPubSubServer> {
  return harness.server({ [echo]: (data) => data, ...handlers }, options);
}

/** Resolves when the server has answered a request that came after what it was sent before. */
async function answers(): Promise<void> {
  expect(await lastValueFrom(harness.client().send(echo, 'after'))).toBe('after');
}
