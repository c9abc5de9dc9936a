import { channel } from 'node:diagnostics_channel';

/** A channel of `node:diagnostics_channel` on which only messages of one type are told. */
export interface DiagnosticsChannel<Message> {
  /** To be asked before a message is made: without subscribers there shall be none. */
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

/** To be held by a module: Node forgets a channel that nobody holds, and asking by its name costs a look-up. */
export function diagnosticsChannel<Message>(name: string): DiagnosticsChannel<Message> {
  return channel(name);
}
