import { displayName, type ChannelName } from '../common/channel-name.js';
import type { ConfirmationMessage, DataMessage, PubSubMessage, PubSubEncoding } from '../common/messages.js';
import type { Subscription } from '../subscription/subscription.js';

type AnyMessage = DataMessage<PubSubEncoding>;

/** Creates a message with strings, or with the bytes as received. */
export function createMessage(
  encoding: PubSubEncoding,
  subscription: Subscription,
  channel: Buffer,
  data: Buffer,
): AnyMessage {
  const { kind, text } = subscription;
  const isPattern = kind.name === 'pattern';
  return encoding === 'buffer'
    ? { type: kind.message, pattern: isPattern ? subscription.bytes : null, channel, data }
    : {
        type: kind.message,
        pattern: isPattern ? text : null,
        channel: isPattern ? channel.toString('utf8') : text,
        data: data.toString('utf8'),
      };
}

export function createConfirmation(
  encoding: PubSubEncoding,
  type: ConfirmationMessage['type'],
  name: ChannelName,
  data: number,
): ConfirmationMessage<PubSubEncoding> {
  const channel = encoding === 'buffer' ? Buffer.from(name) : displayName(name);
  return { type, pattern: null, channel, data };
}

export function isConfirmation<E extends PubSubEncoding>(
  message: PubSubMessage<E>,
): message is ConfirmationMessage<E> {
  return typeof message.data === 'number';
}
