import { channel } from 'node:diagnostics_channel';
import type { ClusterPubSubEvents } from './events.js';
import type { ChannelName } from './channel-name.js';

/** A channel of `node:diagnostics_channel` that carries messages of one type. */
export interface DiagnosticsChannel<Message> {
  /** Check this before building a message: without subscribers none is made. */
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

/** Keep the result in a module: Node forgets a channel that nobody holds, and a look-up by name costs time. */
export function diagnosticsChannel<Message>(name: string): DiagnosticsChannel<Message> {
  return channel(name);
}

/** The engine that publishes a message; {@link EngineDiagnostics} names its class. */
interface FromEngine {
  readonly pubsub: object;
}

function eventChannel<Event extends keyof ClusterPubSubEvents>(
  event: Event,
): DiagnosticsChannel<FromEngine & Readonly<Record<Event, ClusterPubSubEvents[Event][0]>>> {
  return diagnosticsChannel(`nestjs-cluster-pubsub:${event}`);
}

/** The channels of {@link EngineDiagnostics}. */
export const ENGINE_DIAGNOSTICS = {
  gap: eventChannel('gap'),
  interrupted: eventChannel('interrupted'),
  moved: eventChannel('moved'),
  status: eventChannel('status'),
  error: eventChannel('error'),
  publishFailed: diagnosticsChannel<
    FromEngine & { readonly command: string; readonly channel: ChannelName; readonly error: unknown }
  >('nestjs-cluster-pubsub:publish-failed'),
} as const;
