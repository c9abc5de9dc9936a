import { monitorEventLoopDelay } from 'node:perf_hooks';
import { socketBytes } from './socket-bytes.js';
import type { Mark } from './protocol.js';

const resolution = 10;
const loop = monitorEventLoopDelay({ resolution });
loop.enable();

/** CPU, memory, sockets and event loop delay of this process. */
export function selfMark(): Pick<Mark, 'at' | 'cpu' | 'bytes' | 'rss' | 'loopDelay'> {
  const { user, system } = process.cpuUsage();
  // The histogram holds the time between two ticks of its timer, so the timer's own interval is in it.
  const loopDelay = Math.max(0, loop.percentile(99) / 1e6 - resolution);
  loop.reset();
  return {
    at: performance.now(),
    cpu: user + system,
    bytes: socketBytes(),
    rss: process.memoryUsage.rss(),
    loopDelay,
  };
}
