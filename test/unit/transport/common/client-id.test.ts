import { expect, it } from '@jest/globals';
import { clientIdOf } from '../../../../src/transport/common/client-id.js';
import { ChannelNames } from '../../../../src/transport/wire/channel-names.js';

it.each(['', 'shop:', '_cps:in:x:'])('is read from the inboxes of a client: prefix "%s"', (prefix) => {
  const names = new ChannelNames(prefix);
  for (const tag of ['0', '4095']) {
    expect(clientIdOf(names.inbox('aZ09_-aZ09', tag))).toBe('aZ09_-aZ09');
  }
});

it.each(['', 'order.reply', '_cps:in:', '_cps:in:{0}', '_cps:in::{0}', '_cps:in:abc'])(
  'is undefined for a name of another form: "%s"',
  (name) => {
    expect(clientIdOf(name)).toBeUndefined();
  },
);
