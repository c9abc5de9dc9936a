import { readFileSync } from 'node:fs';

/** Of USER_HZ, which Linux has fixed at 100 for all that user space sees. */
const tick = 10_000;

/** μs of CPU time that processes have taken, to 10 ms; undefined where there is no /proc. */
export function cpuOf(pids: readonly number[]): number | undefined {
  try {
    return pids.reduce((sum, pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name of the program, in brackets, may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return sum + (Number(fields[11]) + Number(fields[12])) * tick;
    }, 0);
  } catch {
    return undefined;
  }
}

/** All bytes that a process has written by system calls, to sockets and files alike; undefined without /proc. */
export function bytesWrittenBy(pid: number): number | undefined {
  try {
    const line = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined;
  }
}
