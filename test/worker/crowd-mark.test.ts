import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CrowdMark } from '../../lib/worker/crowd-mark.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-crowd-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a crowd is known to the next process, until it has gone', async () => {
  const mark = new CrowdMark(folder, 1);
  expect(mark.isThere).toBe(false);
  let isCrowd = true;
  let looks = 0;
  mark.follow(async () => {
    looks++;
    return isCrowd;
  });
  expect(new CrowdMark(folder).isThere).toBe(true);
  const seen = looks;
  await expect.poll(() => looks).toBeGreaterThan(seen + 2);
  expect(new CrowdMark(folder).isThere).toBe(true);
  isCrowd = false;
  await expect.poll(() => new CrowdMark(folder).isThere).toBe(false);
  mark.stop();
});

test('a look that fails changes nothing, and neither does a folder that is gone', async () => {
  const mark = new CrowdMark(folder, 1);
  let looks = 0;
  mark.follow(() => {
    looks++;
    return Promise.reject(new Error('a thread that has ended'));
  });
  await expect.poll(() => looks).toBeGreaterThan(2);
  expect(mark.isThere).toBe(true);
  mark.stop();
  const lost = new CrowdMark(join(folder, 'gone'));
  lost.follow(async () => true);
  expect(lost.isThere).toBe(false);
  lost.stop();
});
