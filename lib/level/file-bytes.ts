// Files of a disk that may fail: read again before an error is believed, read as far as that goes, written so that a power failure
// leaves all of it or nothing.

import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** How often a file is read, and how long it is waited between: what a disk, or the system, fails to do for a moment. */
const triesMax = 5;
const retryMs = 50;
const passingCodes: readonly unknown[] = ['EIO', 'EAGAIN', 'EINTR', 'EMFILE', 'ENFILE'];

const pageBytes = 4096;
/** What a system says that has no such thing as the sync of a folder. */
const unsyncableCodes: readonly unknown[] = ['EISDIR', 'EPERM', 'EINVAL'];

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

/** The bytes of a file; rejects with what the system said last. */
export function readSteadily(path: string): Promise<Buffer> {
  return steadily(() => readFile(path));
}

/** Reads, and again if that fails for a reason that may pass. @param waitMs between. */
export async function steadily<T>(read: () => Promise<T>, waitMs = retryMs): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await read();
    } catch (error) {
      if (tries === triesMax || !passingCodes.includes(codeOf(error))) throw error;
      await delay(waitMs);
    }
  }
}

/** The bytes of a file; zeros where a page cannot be read, or is not there. */
export async function readReadable(path: string, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const file = await steadily(() => open(path));
  try {
    for (let at = 0; at < length; at += pageBytes) {
      const read = () => file.read(bytes, at, Math.min(pageBytes, length - at), at);
      await steadily(read, 0).catch(() => undefined);
    }
    return bytes;
  } finally {
    await file.close();
  }
}

export async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What has been made, renamed or deleted in a folder stays so. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } catch (error) {
    if (!unsyncableCodes.includes(codeOf(error))) throw error;
  } finally {
    await folder.close();
  }
}
