// How much room the file system of the log has, looked up when metrics are asked for and then kept for a while. It
// decides nothing: what a full disk means is lib/log's.

import { statfs } from 'node:fs/promises';

/** How long an answer is good. */
const keptMs = 10_000;

/** See the file comment. */
export class DiskSpace {
  /** For this user; undefined when the system does not tell. */
  freeBytes: number | undefined;
  totalBytes: number | undefined;
  readonly #path: string;
  readonly #nowMs: () => number;
  #readAtMs = -Infinity;

  /** @param path anything on that file system. */
  constructor(path: string, nowMs: () => number = () => performance.now()) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  /** Looks, unless it has just done so. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#nowMs() - this.#readAtMs < keptMs) return;
    this.#readAtMs = this.#nowMs();
    const found = await statfs(this.#path).catch(() => undefined);
    this.freeBytes = found && found.bavail * found.bsize;
    this.totalBytes = found && found.blocks * found.bsize;
  }
}
