// A publisher or a subscriber in a process of its own. Follows the orders of its parent, and ends with it.
import { loadPeer } from '../peers/index.js';
import { emptyReport, type FromMember, type Order, type Report, type Setup } from './protocol.js';
import { Publisher } from './publisher.js';
import { Subscriber } from './subscriber.js';
import type { Peer } from '../peer.js';

let peer: Peer | undefined;
let member: Publisher | Subscriber | undefined;
let closing = false;

const orders: Record<Order['order'], (argument?: Setup) => Promise<Report | undefined>> = {
  setUp: async (setup) => {
    if (setup !== undefined) await setUp(setup);
    return undefined;
  },
  publish: async () => {
    if (member instanceof Publisher) member.publish();
    return undefined;
  },
  rest: async () => {
    await member?.rest();
    return undefined;
  },
  report: async () => member?.report() ?? emptyReport,
  close: async () => {
    closing = true;
    // The run may be interrupted in the middle of the traffic.
    if (member instanceof Publisher) member.stop();
    await peer?.close();
    return undefined;
  },
};

async function setUp({ name, peer: peerName, options, role }: Setup): Promise<void> {
  const definition = await loadPeer(peerName);
  const log = (text: string): void => say({ type: 'event', at: Date.now(), text });
  peer = definition.create({ ...options, log });
  await peer.start();
  if (role.kind === 'publisher') {
    member = new Publisher(name, peer, definition, role);
  } else {
    const subscriber = (member = new Subscriber(peer, definition, role));
    await subscriber.subscribe();
  }
}

function say(message: FromMember): void {
  if (process.connected) process.send?.(message);
}

const misconduct = (what: string) => (error: unknown) =>
  say({
    type: 'misconduct',
    text: `${what}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
  });

process.on('unhandledRejection', misconduct('unhandled rejection'));
process.on('uncaughtException', misconduct('uncaught exception'));
process.on('warning', misconduct('warning'));
// Ctrl-C reaches the whole group; the parent orders the end.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  // Without a parent nobody reads the report. After `close` the process must end by itself.
  if (!closing) process.exit(1);
});
process.on('message', ({ id, order, argument }: Order) => {
  void orders[order](argument)
    .then(
      (result): FromMember => ({ type: 'done', id, ...(result === undefined ? {} : { result }) }),
      (error: unknown): FromMember => ({ type: 'done', id, error: String(error) }),
    )
    .then((answer) => {
      say(answer);
      if (order === 'close') process.disconnect();
    });
});
say({ type: 'ready' });
