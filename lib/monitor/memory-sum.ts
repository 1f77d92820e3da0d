// Where the memory of the daemon is, as one reading: the process, the threads' heaps, LevelDB, the kernel's socket buffers, and the
// sum of what has to be given back for good. What each number is lib/memory.ts and the log know; here they come together.

import type { EventLog } from '../log/event-log.ts';
import { memoryLimit, processMemory, socketMemory } from '../memory.ts';
import type { MemoryReport } from '../status/status-report.ts';
import type { Counts, DeliveryCounts } from '../worker/delivery-counts.ts';

/** What is told of the threads. */
export type HeapCounts = Pick<DeliveryCounts, 'heapUsedBytes' | 'externalBytes'>;

/** Reads, when it is asked for: some 0.1 ms. */
export function readMemory(heaps: HeapCounts, log: Pick<EventLog, 'databaseBytes'>): MemoryReport {
  const limit = memoryLimit();
  const { residentBytes, anonymousBytes } = processMemory();
  const sockets = socketMemory();
  // Those of a network namespace may be the whole machine's.
  const ownSocketBytes = sockets?.of === 'cgroup' ? sockets.bytes : 0;
  return {
    residentBytes,
    anonymousBytes: anonymousBytes ?? null,
    heapBytes: sumOf(heaps.heapUsedBytes),
    externalBytes: sumOf(heaps.externalBytes),
    databaseBytes: log.databaseBytes,
    socketBytes: sockets?.bytes ?? null,
    socketsOf: sockets?.of ?? null,
    totalBytes: (anonymousBytes ?? residentBytes) + ownSocketBytes,
    limitOf: limit.of,
    limitBytes: limit.limitBytes,
    limitedBytes: limit.use()?.usedBytes ?? null,
  };
}

function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, bytes) => sum + bytes, 0);
}
