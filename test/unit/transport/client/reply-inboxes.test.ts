import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { ChannelNames } from '../../../../src/transport/wire/channel-names.js';
import type { TransportEngine } from '../../../../src/transport/connection/create-engine.js';
import { ReplyInboxes } from '../../../../src/transport/client/reply-inboxes.js';

/** Inboxes of a client that sees slots owned like this; nothing is ever confirmed. */
function inboxes(ownerOf: (slot: number) => string | undefined) {
  const asked: string[] = [];
  const engine = {
    supportsSharded: true,
    on: () => undefined,
    ssubscribe: () => new Promise<never>(() => undefined),
    nodeOf: (channel: string) => {
      asked.push(channel);
      return ownerOf(slotOf(channel));
    },
  };
  const listener = {
    replyReceived: () => undefined,
    inboxActive: () => undefined,
    inboxRefused: () => undefined,
    inboxInterrupted: () => undefined,
  };
  return {
    asked,
    inboxes: new ReplyInboxes(
      engine as unknown as TransportEngine,
      new ChannelNames(''),
      'me',
      true,
      listener,
    ),
  };
}

describe('the inbox for a channel', () => {
  it('is in the slots of the master that owns the channel', () => {
    const ownerOf = (slot: number): string => (slot < 8_192 ? 'a:1' : 'b:2');
    const { inboxes: ours } = inboxes(ownerOf);
    for (const channel of ['order.create', 'order.paid', 'user.created', 'price']) {
      expect(ownerOf(slotOf(ours.for(channel).name))).toBe(ownerOf(slotOf(channel)));
    }
  });

  it('is found without trying tens of thousands of names while the slot has no owner', () => {
    const unowned = slotOf('order.create');
    const { inboxes: ours, asked } = inboxes((slot) => (slot === unowned ? undefined : 'a:1'));
    const inbox = ours.for('order.create');
    expect(inbox.name).toContain('_cps:in:me:');
    expect(asked.length).toBeLessThan(10);
    expect(ours.for('order.create')).toBe(inbox);
  });
});
