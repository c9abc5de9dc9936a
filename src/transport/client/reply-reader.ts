import type { ProducerDeserializer } from '@nestjs/microservices';
import type { DataMessage } from '../../pubsub/common/messages.js';
import type { ReplyInbox } from './reply-inboxes.js';
import type { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import { isPromiseLike } from '../../util/promises.js';
import type { Reply, PendingRequests } from './pending-requests.js';
import { decodeFrame } from '../wire/frame.js';

/**
 * Reads what came to an inbox, and gives it to the requests that wait.
 *
 * @internal
 */
export function readReply(
  message: DataMessage<'buffer'>,
  inbox: ReplyInbox,
  requests: PendingRequests,
  deserializer: ProducerDeserializer,
  malformedLog: MalformedMessageLog,
): void {
  const unreadable = (): void => malformedLog.report(inbox.name, message.data.length);
  const frame = decodeFrame(message.data);
  if (frame === undefined) {
    unreadable();
    return;
  }
  const { fields, packet } = frame;
  if (fields.k === 1) {
    return; // a server that asked whether we are still here
  }
  const declined = fields.n === 1;
  let reply: unknown;
  try {
    reply = deserializer.deserialize(packet);
  } catch {
    unreadable();
    return;
  }
  if (isPromiseLike(reply)) {
    reply.then((later) => give(requests, later, declined) || unreadable(), unreadable);
  } else if (!give(requests, reply, declined)) {
    unreadable();
  }
}

/** False: it is no reply. */
function give(requests: PendingRequests, reply: unknown, declined: boolean): boolean {
  if (typeof reply !== 'object' || reply === null) {
    return false;
  }
  if (declined) {
    requests.noHandler((reply as Reply).id);
  } else {
    requests.answer(reply);
  }
  return true;
}
