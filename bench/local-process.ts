// What Linux knows of any process on this machine. processes.ts adds to it for those that the benchmark
// starts; peer.ts uses it for one that somebody else did.

import { readdirSync, readFileSync } from 'node:fs';

/** Of `/proc/<pid>/stat`: Linux reports times to user space in these on every architecture. */
const ticksPerSecond = 100;

/** A process that can be measured while it runs. Everything throws once it has ended. */
export class LocalProcess {
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
  }

  /** Seconds of processor time that all its threads, also ended ones, have had: to 10 ms, user and system. */
  cpuSeconds(): number {
    return secondsOf(readFileSync(`/proc/${this.pid}/stat`, 'latin1'));
  }

  /** The same of the threads that live, by their names. */
  threadSeconds(): Map<string, number> {
    const seconds = new Map<string, number>();
    for (const task of readdirSync(`/proc/${this.pid}/task`)) {
      const stat = readFileSync(`/proc/${this.pid}/task/${task}/stat`, 'latin1');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      // The first thread has the name of the program, as others may.
      const key = task === String(this.pid) ? 'main' : name;
      seconds.set(key, (seconds.get(key) ?? 0) + secondsOf(stat));
    }
    return seconds;
  }

  /** Times that a thread of it has waited for something: each is a wake-up later. */
  waits(): number {
    let waits = 0;
    for (const task of readdirSync(`/proc/${this.pid}/task`)) {
      const status = readFileSync(`/proc/${this.pid}/task/${task}/status`, 'latin1');
      waits += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
    }
    return waits;
  }

  /** Bytes that it has had the system write to disks. */
  writtenBytes(): number {
    const io = readFileSync(`/proc/${this.pid}/io`, 'latin1');
    return Number(/^write_bytes: (\d+)$/m.exec(io)?.[1]);
  }

  /** Memory of its own that is resident now, mapped files left out, in bytes. */
  anonymousBytes(): number {
    return this.#statusBytes('RssAnon');
  }

  /** Memory that is resident now, in bytes. */
  rssBytes(): number {
    return this.#statusBytes('VmRSS');
  }

  /** The most memory that it has had resident, in bytes. */
  peakRssBytes(): number {
    return this.#statusBytes('VmHWM');
  }

  #statusBytes(name: string): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  }
}

/** Of a line of `stat`, user and system. */
function secondsOf(stat: string): number {
  // The name in parentheses may hold spaces. `utime` and `stime` are fields 14 and 15, the first behind it is 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
