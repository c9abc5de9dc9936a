import type { FromMember, Order } from './protocol.js';

/** Executes the orders of the parent process, and ends with it. */
export function obey(orders: Readonly<Record<string, (argument: never) => unknown>>): void {
  const execute = async ({ id, order, argument }: Order<string>): Promise<void> => {
    try {
      say({ type: 'done', id, result: await orders[order]?.(argument as never) });
    } catch (error) {
      say({
        type: 'done',
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  };
  // Ctrl-C reaches the whole group; the parent decides when to end.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order: Order<string>) => void execute(order));
  say({ type: 'ready' });
}

function say(message: FromMember): void {
  if (process.connected) process.send?.(message);
}
