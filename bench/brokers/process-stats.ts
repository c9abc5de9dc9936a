import { readFileSync } from 'node:fs';

/** A tick of USER_HZ, which Linux fixes at 100 for user space. */
const tick = 10_000;

/** CPU time of processes in μs, accurate to 10 ms; undefined without /proc. */
export function cpuOf(pids: readonly number[]): number | undefined {
  try {
    return pids.reduce((sum, pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The program's name, in brackets, may contain any character.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return sum + (Number(fields[11]) + Number(fields[12])) * tick;
    }, 0);
  } catch {
    return undefined;
  }
}

/** Bytes that a process wrote by system calls, to sockets and files; undefined without /proc. */
export function bytesWrittenBy(pid: number): number | undefined {
  try {
    const line = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined;
  }
}
