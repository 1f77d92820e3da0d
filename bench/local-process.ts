// What Linux knows of any process on this machine. processes.ts adds to it for those that the benchmark
// starts; peer.ts uses it for one that somebody else did.

import { readFileSync } from 'node:fs';

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
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces. `utime` and `stime` are fields 14 and 15, the first behind it is 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
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
