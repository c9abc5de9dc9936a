/** What a service sends to the process that started it, once it serves. */
export interface ReadyMessage {
  ready: true;
  /** Where it listens for HTTP, if it does. */
  url?: string;
}

/** Tells who started us that we serve, be it a terminal or a parent process; a service does not outlive its parent. */
export function announceReady(service: string, url?: string): void {
  console.log(`${service} is ready${url === undefined ? '' : ` at ${url}`}`);
  if (process.send === undefined) return;
  const message: ReadyMessage = { ready: true, ...(url === undefined ? {} : { url }) };
  process.send(message);
  process.once('disconnect', () => process.exit(1));
  // Listening to the parent is no reason to stay alive.
  process.channel?.unref();
}
