import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Enough to recognise a process later, though its number may have been given to another one by then. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and start of the process; null where there is no /proc. */
  readonly startTicks: string | null;
  /** Where that number means something: this boot of this machine, and the container's own numbering of processes. */
  readonly scope: string;
}

const readIfThere = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    // ESRCH: the process ended between opening and reading.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return null;
    throw error;
  }
};

/** Field 22 of /proc/<pid>/stat. The second field, in parentheses, may itself contain blanks and parentheses. */
function startTicksOf(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** State of a process as one letter; Z is one that has ended and whose parent has not noticed yet. */
function stateOf(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2)[0] ?? null;
}

function presentScope(): string {
  const boot = readIfThere('/proc/sys/kernel/random/boot_id');
  return boot === null ? hostname() : `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** The present process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicksOf(process.pid), scope: presentScope() };
}

/** Whether that process runs: `unknown` when it belongs to another machine, another boot or another container. */
export function isRunning({ pid, startTicks, scope }: ProcessIdentity): 'yes' | 'no' | 'unknown' {
  if (scope !== presentScope()) return 'unknown';
  if (startTicks !== null) return startTicksOf(pid) === startTicks && stateOf(pid) !== 'Z' ? 'yes' : 'no';
  try {
    process.kill(pid, 0); // signal 0 only asks
    return 'yes';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return 'yes'; // somebody else's process
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return 'no';
    throw error;
  }
}
