/** The message of a service to the process that started it, once it is ready. */
export interface ReadyMessage {
  ready: true;
  /** Its HTTP port, if it has one. */
  url?: string;
}

/** Reports to the terminal or the parent process that the service is ready; a service does not outlive its parent. */
export function announceReady(service: string, url?: string): void {
  console.log(`${service} is ready${url === undefined ? '' : ` at ${url}`}`);
  if (process.send === undefined) return;
  const message: ReadyMessage = { ready: true, ...(url === undefined ? {} : { url }) };
  process.send(message);
  process.once('disconnect', () => process.exit(1));
  // The channel to the parent must not keep the process alive.
  process.channel?.unref();
}
