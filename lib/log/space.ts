// Waiting for room on a full disk: asks by writing, because free bytes say nothing of quotas.

import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Bytes that must fit before the log goes on: LevelDB's recovery writes its logs and a table anew. */
const probeBytes = 32 * 1024 * 1024;
const probeName = 'space-probe';
const intervalMs = 1000;

/** Resolves when the directory takes {@link probeBytes}, or when `isCancelled`. */
export async function waitForSpace(directory: string, isCancelled: () => boolean): Promise<void> {
  while (!isCancelled() && !(await hasSpace(directory))) await delay(intervalMs);
}

async function hasSpace(directory: string): Promise<boolean> {
  const path = join(directory, probeName);
  const chunk = Buffer.alloc(1024 * 1024, 1);
  try {
    // Node 22 does not know `await using`.
    const file = await open(path, 'w');
    try {
      for (let written = 0; written < probeBytes; written += chunk.length) await file.write(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    return false;
  } finally {
    await unlink(path).catch(() => undefined);
  }
}
