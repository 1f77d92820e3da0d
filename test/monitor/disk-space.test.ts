import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskSpace } from '../../lib/monitor/disk-space.ts';

test('the room of a file system', async () => {
  const disk = new DiskSpace(tmpdir());
  expect(disk.freeBytes).toBeUndefined();
  await disk.refresh();
  const { blocks, bsize } = statfsSync(tmpdir());
  expect(disk.totalBytes).toBe(blocks * bsize);
  expect(disk.freeBytes).toBeGreaterThan(0);
  expect(disk.freeBytes).toBeLessThanOrEqual(blocks * bsize);
});

test('is looked up once in ten seconds, and unknown where it cannot be', async () => {
  let nowMs = 0;
  let asked = 0;
  const missing = new DiskSpace(join(tmpdir(), 'no', 'such', 'folder'), () => {
    asked++;
    return nowMs;
  });
  await missing.refresh();
  expect(missing.freeBytes).toBeUndefined();
  const after = asked;
  nowMs = 9_999;
  await missing.refresh();
  expect(asked - after).toBe(1);
  nowMs = 10_000;
  await missing.refresh();
  expect(asked - after).toBe(3);
});
