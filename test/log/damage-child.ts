// A process that damages copies of a log, one after the other, and says of each what the log, its check and its repair make of it. By itself,
// because LevelDB may end the process. damaged-files.long.ts starts it. Arguments: folder of the log, damages as JSON, first of them.

import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './damaged-log.ts';

const [original, damagesText, first] = process.argv.slice(2);

/** A change to a file: bits flipped, a page zeroed, or all from `offset` on gone. */
export interface FileChange {
  readonly file: string;
  readonly kind: 'bit' | 'page' | 'cut';
  readonly offset: number;
}

function apply(dataDir: string, { file, kind, offset }: FileChange): void {
  const path = join(dataDir, file);
  if (kind === 'cut') {
    truncateSync(path, offset);
    return;
  }
  const bytes = readFileSync(path);
  if (kind === 'page') bytes.fill(0, offset, Math.min(bytes.length, offset + 4096));
  else bytes[offset >> 3] ^= 1 << (offset & 7);
  writeFileSync(path, bytes);
}

const damages: FileChange[] = JSON.parse(damagesText);
for (const [at, change] of damages.entries()) {
  if (at < Number(first)) continue;
  const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-damaged-'));
  try {
    cpSync(original, dataDir, { recursive: true });
    apply(dataDir, change);
    const before = await check(dataDir);
    console.log(JSON.stringify({ at, ...before }));
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}
