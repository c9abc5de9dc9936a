// A client or a server in its own process. It executes the orders of its parent, and ends with it.
import { obey } from './obey.js';
import { watchSockets } from './socket-bytes.js';
import type { ClientMember } from './client-member.js';
import type { Profile } from './profile.js';
import type { ServerMember } from './server-member.js';
import type { ClientSetup, Load, OrderName, ServerSetup } from './protocol.js';

// Before anything has connected.
watchSockets();

let member: ClientMember | ServerMember | undefined;
let profile: Profile | undefined;

const orders: Record<OrderName, (argument: never) => unknown> = {
  serve: async (setup: ServerSetup) => {
    const { ServerMember } = await import('./server-member.js');
    const server = (member = new ServerMember(setup));
    await server.start();
  },
  connect: async (setup: ClientSetup) => {
    const { ClientMember } = await import('./client-member.js');
    const client = (member = new ClientMember(setup));
    await client.start();
  },
  begin: (load: Load) => the('client').begin(load),
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

obey(orders);
