// The metrics of memory: of each thread, of the process, of its limit. All are of one reading, made when metrics are asked for.
// docs/operations.md explains each.

import type { MemoryReport } from '../status/status-report.ts';
import type { Counts, DeliveryCounts } from '../worker/delivery-counts.ts';
import { byName, gauge, gauges, type Metric, type Sample } from './metric.ts';

/** @param counts of all threads, and the memory, as of the read that is under way. */
export function memoryMetrics(
  counts: () => DeliveryCounts,
  memory: () => MemoryReport | undefined,
): Metric[] {
  const byThread = (name: string, help: string, read: (from: DeliveryCounts) => Counts) =>
    gauges(name, help, ['thread'], () => byName(Object.entries(read(counts()))));
  const known = (read: (from: MemoryReport) => number | null) => (): number | undefined => {
    const report = memory();
    return report === undefined ? undefined : (read(report) ?? undefined);
  };
  return [
    byThread('slipstream_thread_heap_bytes', "V8's heap of a thread", (from) => from.heapUsedBytes),
    byThread('slipstream_thread_heap_limit_bytes', 'What that may be', (from) => from.heapLimitBytes),
    byThread(
      'slipstream_thread_external_bytes',
      'What objects of a thread hold outside of the heap',
      (from) => from.externalBytes,
    ),
    byThread(
      'slipstream_thread_array_buffer_bytes',
      'Array buffers among that',
      (from) => from.arrayBufferBytes,
    ),
    byThread(
      'slipstream_thread_memory_state',
      'Whether subscribers are ended for want of memory',
      (from) => from.memoryState,
    ),
    gauge(
      'slipstream_memory_anonymous_bytes',
      'Resident memory that is in no file',
      known(({ anonymousBytes }) => anonymousBytes),
    ),
    gauge(
      'slipstream_memory_database_bytes',
      "LevelDB's caches and what it has not written to tables",
      known(({ databaseBytes }) => databaseBytes),
    ),
    gauges('slipstream_memory_socket_bytes', "The kernel's buffers of TCP connections", ['of'], () => {
      const { socketBytes = null, socketsOf = null } = memory() ?? {};
      return socketBytes === null || socketsOf === null ? [] : [[[socketsOf], socketBytes] as Sample];
    }),
    gauge(
      'slipstream_memory_total_bytes',
      'Anonymous memory, and socket buffers where they are known to be of this cgroup',
      known(({ totalBytes }) => totalBytes),
    ),
    gauges('slipstream_memory_limit_bytes', 'What there may be', ['of'], () => {
      const report = memory();
      return report === undefined ? [] : [[[report.limitOf], report.limitBytes] as Sample];
    }),
    gauge(
      'slipstream_memory_limited_bytes',
      'What is used of the limit, by all that counts for it',
      known(({ limitedBytes }) => limitedBytes),
    ),
  ];
}
