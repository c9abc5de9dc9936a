import { Socket } from 'node:net';

const sockets = new Set<Socket>();
let ofClosed = 0;

/** Starts counting the bytes of all TCP connections that this process opens. */
export function watchSockets(): void {
  const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    if (!isLocalPath(args[0])) watch(this);
    return connect.apply(this, args);
  };
}

/** Bytes read and written since then. */
export function socketBytes(): number {
  let sum = ofClosed;
  for (const { bytesRead, bytesWritten } of sockets) sum += bytesRead + bytesWritten;
  return sum;
}

function watch(socket: Socket): void {
  if (sockets.has(socket)) return;
  sockets.add(socket);
  socket.once('close', () => {
    sockets.delete(socket);
    ofClosed += socket.bytesRead + socket.bytesWritten;
  });
}

/** The receipts of the bench use such a path. net.connect() passes its arguments on as a list. */
function isLocalPath(first: unknown): boolean {
  const options: unknown = Array.isArray(first) ? first[0] : first;
  return (
    typeof options === 'string' ||
    (typeof options === 'object' && options !== null && 'path' in options && options.path !== undefined)
  );
}
