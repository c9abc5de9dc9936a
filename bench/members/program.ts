// A client or a server in its own process. It executes the orders of its parent, and ends with it.
import { watchSockets } from './socket-bytes.js';
import type { ClientMember } from './client-member.js';
import type { Profile } from './profile.js';
import type { ServerMember } from './server-member.js';
import type { Argument, ClientSetup, FromMember, Load, Order, OrderName, ServerSetup } from './protocol.js';

// Before anything has connected.
watchSockets();

let member: ClientMember | ServerMember | undefined;
let profile: Profile | undefined;

const orders: Record<OrderName, (argument?: Argument) => unknown> = {
  serve: async (setup) => {
    const { ServerMember } = await import('./server-member.js');
    const server = (member = new ServerMember(setup as ServerSetup));
    await server.start();
  },
  connect: async (setup) => {
    const { ClientMember } = await import('./client-member.js');
    const client = (member = new ClientMember(setup as ClientSetup));
    await client.start();
  },
  begin: (load) => the('client').begin(load as Load),
  mark: () => member?.mark(),
  stop: () => the('client').stop(),
  startProfile: async () => {
    const { Profile } = await import('./profile.js');
    profile = new Profile();
    await profile.start();
  },
  stopProfile: () => profile?.stop(),
  close: () => member?.close(),
};

function the(_role: 'client'): ClientMember {
  if (member === undefined || !('begin' in member)) throw new Error('this member is not a client');
  return member;
}

function say(message: FromMember): void {
  if (process.connected) process.send?.(message);
}

async function obey({ id, order, argument }: Order): Promise<void> {
  try {
    say({ type: 'done', id, result: await orders[order](argument) });
  } catch (error) {
    say({ type: 'done', id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

// Ctrl-C reaches the whole group; the parent decides when to end.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (order: Order) => void obey(order));
say({ type: 'ready' });
