// A record begins wherever the one before ends: at each distance from the end of a page it is read back whole.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { headerBytes, pageBytes, readRecords } from '../../lib/level/record-file.ts';
import { RecordWriter } from '../../lib/level/record-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-record-writer-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** First, middle and last piece by their types: a record in one piece is 1. */
function typesOf(bytes: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (pageBytes - (at % pageBytes) < headerBytes) at += pageBytes - (at % pageBytes);
    types.push(bytes[at + 6]);
    at += headerBytes + bytes[at + 4] + 256 * bytes[at + 5];
  }
  return types;
}

test.each([0, 1, 100, 2 * pageBytes])('a record of %i bytes, before the end of a page', (length) => {
  for (let left = 0; left <= 30; left++) {
    const path = join(folder, `${left}.log`);
    const writer = new RecordWriter(path);
    const records = [pageBytes - headerBytes - left, length, 3].map((bytes, at) =>
      Buffer.alloc(bytes, `${at}`),
    );
    for (const record of records) writer.append(record);
    writer.close();
    const bytes = readFileSync(path);
    const read = readRecords(bytes);
    expect(read.damages, `${left} bytes left`).toEqual([]);
    expect(read.records.map((record) => Buffer.from(record))).toEqual(records);
    // As LevelDB's format has it: full, or first, some in the middle, and last.
    expect(typesOf(bytes).join('')).toMatch(/^(1|23*4)+$/);
  }
});
