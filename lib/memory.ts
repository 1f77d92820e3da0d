// Where the memory of this process is, and what bounds it: the heap of this thread, the process, the kernel's socket buffers, and
// the limit of the container or the machine. The only reader of those numbers; who compares them is lib/worker's
// memory-watch.ts, who shows them lib/monitor. A read takes 2 to 30 µs: none belongs into the way of an event.

import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that are used, of those that may be. */
export interface Use {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** What V8 has for this thread. */
export interface ThreadMemory extends Use {
  /** Outside of the heap, held by objects in it; array buffers, of Buffers too, are among it. */
  readonly externalBytes: number;
  readonly arrayBufferBytes: number;
}

/** What the system says of this process. */
export interface ProcessMemory {
  readonly residentBytes: number;
  /** Of that, what is in no file: what has to be given back for good. Undefined where the system does not tell. */
  readonly anonymousBytes: number | undefined;
}

/** What the kernel holds of what was sent and received. */
export interface SocketMemory {
  readonly bytes: number;
  /** Of whom: this process and others of its cgroup, or all of the network namespace, which may be the machine. */
  readonly of: 'cgroup' | 'network_namespace';
}

/** A limit of the memory of this process, with all else that counts for it. */
export interface MemoryLimit {
  /** A cgroup, of version 1 or 2, or, without a limit there, the whole machine, of which others take their part. */
  readonly of: 'cgroup_v2' | 'cgroup_v1' | 'machine';
  readonly limitBytes: number;
  /** What is used of it now; undefined when that cannot be read. Reclaimable file pages are not counted. */
  use(): Use | undefined;
}

const youngSpaces = new Set(['new_space', 'new_large_object_space']);
/** V8's default for what is young, in the limit that it tells; it ends a thread by the rest. Node 22 has half of it. */
const youngBytesMax = 96 * 1024 * 1024;

let heapLimitBytes: number | undefined;

/** Three times a semi-space, if that is set. */
function youngBytes(): number {
  // The command's own count in place of those in the environment.
  const flags = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv];
  const flag = flags.findLast((text) => /^--max[-_]semi[-_]space[-_]size=\d+$/.test(text));
  return flag === undefined ? youngBytesMax : 3 * 2 ** 20 * Number(flag.slice(flag.indexOf('=') + 1));
}

/** The heap without its youngest objects, and the limit at which V8 ends the thread. A few microseconds. */
export function heapUse(): Use {
  let usedBytes = 0;
  for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
    if (!youngSpaces.has(space_name)) usedBytes += space_used_size;
  }
  heapLimitBytes ??= readHeapLimit();
  return { usedBytes, limitBytes: heapLimitBytes };
}

function readHeapLimit(): number {
  const { heap_size_limit } = getHeapStatistics();
  return Math.max(heap_size_limit - youngBytes(), heap_size_limit / 4);
}

export function threadMemory(): ThreadMemory {
  const { external, arrayBuffers } = process.memoryUsage();
  return { ...heapUse(), externalBytes: external, arrayBufferBytes: arrayBuffers };
}

type Collect = (how: { type: 'major'; flavor: 'regular' | 'last-resort' }) => void;
let collect: Collect | undefined;

/**
 * Has V8 look for garbage in all of this thread's heap, now: what is used after it is used. It takes a third of a second for half a
 * GB. @param givesBack whether pages are to go back to the system, which a usual collection leaves to later: it takes three times as
 * long. Of 127 MB 115 were such pages, of the youngest objects for the most part.
 */
export function collectGarbage(givesBack: boolean): void {
  collect ??= openCollector();
  collect({ type: 'major', flavor: givesBack ? 'last-resort' : 'regular' });
}

function openCollector(): Collect {
  setFlagsFromString('--expose-gc');
  // V8 ends a thread, before its heap is full, after four collections in a row that found little. Ours may be such.
  setFlagsFromString('--no-detect-ineffective-gcs-near-heap-limit');
  return (runInNewContext('globalThis.gc') as Collect | undefined) ?? (() => {});
}

let lastMemory: ProcessMemory = { residentBytes: 0, anonymousBytes: undefined };

/** What it was, when the files that say it cannot be read, as while too many are open. */
export function processMemory(): ProcessMemory {
  const pages = /^\d+ (\d+) (\d+)/.exec(textOf('/proc/self/statm') ?? '');
  if (pages !== null) {
    pageBytes ??= readPageBytes();
    const [resident, inFiles] = [Number(pages[1]), Number(pages[2])];
    lastMemory = { residentBytes: resident * pageBytes, anonymousBytes: (resident - inFiles) * pageBytes };
  } else if (!existsSync('/proc/self')) {
    lastMemory = { residentBytes: process.memoryUsage.rss(), anonymousBytes: undefined };
  }
  return lastMemory;
}

/** Undefined where the system does not tell. */
export function socketMemory(): SocketMemory | undefined {
  ownGroup ??= groupOf('/proc/self');
  if (ownGroup?.version === 2 && ownGroup.directories.length > 1) {
    const bytes = numberIn(join(ownGroup.directories[0], 'memory.stat'), /^sock (\d+)/m);
    if (bytes !== undefined) return { bytes, of: 'cgroup' };
  }
  const pages = numberIn('/proc/self/net/sockstat', /^TCP: .*\bmem (\d+)/m);
  if (pages === undefined) return undefined;
  pageBytes ??= readPageBytes();
  return { bytes: pages * pageBytes, of: 'network_namespace' };
}

let ownGroup: Group | undefined;
let pageBytes: number | undefined;

/** The same number in kB and in pages: it may have changed in between, so the nearest power of two. */
function readPageBytes(): number {
  const bytes = (numberIn('/proc/self/status', /^VmSize:\s+(\d+) kB/m) ?? 4) * 1024;
  const pages = numberIn('/proc/self/statm', /^(\d+)/) ?? 1;
  return 2 ** Math.round(Math.log2(bytes / pages));
}

/** A cgroup by its directory, and those that it is in, up to the outermost that can be seen. */
interface Group {
  readonly version: 1 | 2;
  readonly directories: readonly string[];
}

/** The names of files, and what in `memory.stat` can be had back at any time. */
const filesOf = {
  1: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    reclaimable: [/^total_inactive_file (\d+)/m, /^total_active_file (\d+)/m],
  },
  2: {
    // Above `high` the kernel slows a process down until it is of no use: that comes first.
    limits: ['memory.max', 'memory.high'],
    usage: 'memory.current',
    reclaimable: [/^inactive_file (\d+)/m, /^active_file (\d+)/m],
  },
} as const;

let ownLimit: MemoryLimit | undefined;

/** {@link findMemoryLimit} of this process, which is looked for once in each thread. */
export function memoryLimit(): MemoryLimit {
  ownLimit ??= findMemoryLimit();
  return ownLimit;
}

/** Up to it memory is short: the daemon is made for more, and takes less of what it can do with less of. */
const littleMemoryBytes = 256 * 2 ** 20;

/** Whether this process has to do with little: then what is kept and read at a time, and what one client may send, is smaller. */
export function hasLittleMemory(): boolean {
  return memoryLimit().limitBytes <= littleMemoryBytes;
}

/** Below it what is freed has to go back soon: with less garbage than V8 and malloc would keep, there is room for all that is bounded. */
const tightMemoryBytes = 512 * 2 ** 20;

/** Whether garbage has to be kept short: some more machines than have little. */
export function hasTightMemory(): boolean {
  return memoryLimit().limitBytes < tightMemoryBytes;
}

/**
 * The limit that counts: of the cgroups of this process, up to the outermost, all that have one. @param procDirectory of the process.
 */
export function findMemoryLimit(procDirectory = '/proc/self'): MemoryLimit {
  const machineBytes = totalmem();
  const group = groupOf(procDirectory);
  const limited = (group?.directories ?? []).flatMap((directory) => {
    const { limits } = filesOf[(group as Group).version];
    const bytes = limits.map((name) => numberIn(join(directory, name), /^(\d+)$/m) ?? Infinity);
    const limitBytes = Math.min(...bytes);
    // "No limit" is a word in version 2, and more than there is in version 1.
    return limitBytes < machineBytes ? [{ directory, limitBytes }] : [];
  });
  if (group === undefined || limited.length === 0) {
    const use = () => {
      const { residentBytes, anonymousBytes = residentBytes } = processMemory();
      return { usedBytes: anonymousBytes, limitBytes: machineBytes };
    };
    return { of: 'machine', limitBytes: machineBytes, use };
  }
  return {
    of: `cgroup_v${group.version}`,
    limitBytes: Math.min(...limited.map(({ limitBytes }) => limitBytes)),
    use: () => fullestOf(group.version, limited),
  };
}

/** What is used of the one that has the least room, in proportion. */
function fullestOf(
  version: Group['version'],
  limited: readonly { directory: string; limitBytes: number }[],
): Use | undefined {
  const { usage, reclaimable } = filesOf[version];
  let fullest: Use | undefined;
  for (const { directory, limitBytes } of limited) {
    const allBytes = numberIn(join(directory, usage), /^(\d+)/);
    if (allBytes === undefined) continue;
    const stat = textOf(join(directory, 'memory.stat')) ?? '';
    const fileBytes = reclaimable.reduce((sum, line) => sum + Number(line.exec(stat)?.[1] ?? 0), 0);
    const usedBytes = Math.max(0, allBytes - fileBytes);
    if (fullest === undefined || usedBytes / limitBytes > fullest.usedBytes / fullest.limitBytes) {
      fullest = { usedBytes, limitBytes };
    }
  }
  return fullest;
}

/** The cgroup that limits memory: of version 1 if its memory controller is there, else of version 2. */
function groupOf(procDirectory: string): Group | undefined {
  const own = textOf(join(procDirectory, 'cgroup'));
  const mounts = textOf(join(procDirectory, 'mountinfo'));
  if (own === undefined || mounts === undefined) return undefined;
  const first = /^\d+:(?:[\w=]+,)*memory(?:,[\w=]+)*:(.*)$/m.exec(own)?.[1];
  const second = /^0::(.*)$/m.exec(own)?.[1];
  const version = first === undefined ? 2 : 1;
  const path = first ?? second;
  const type = version === 1 ? /^.* - cgroup \S+ (?:\S+,)?memory(?:,\S+)?$/m : /^.* - cgroup2 .*$/m;
  // Fields: id, parent, device, root within the file system, mount point.
  const [, , , root, mountPoint] = type.exec(mounts)?.[0].split(' ') ?? [];
  if (path === undefined || mountPoint === undefined) return undefined;
  return { version, directories: directoriesOf(path, root, mountPoint) };
}

/** From the cgroup's own directory to the mount point. In a container the path may be of outside, and the mount point its own. */
function directoriesOf(path: string, root: string, mountPoint: string): string[] {
  const inside = relative(root, path);
  const own = join(mountPoint, inside);
  if (inside.startsWith('..') || !existsSync(own)) return [mountPoint];
  const directories: string[] = [];
  for (let at = own; at !== mountPoint && at !== dirname(at); at = dirname(at)) directories.push(at);
  return [...directories, mountPoint];
}

function numberIn(path: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(textOf(path) ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
