// Limits of memory, found in directories that look as cgroups do; and what the system says of this process.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { collectGarbage, findMemoryLimit, processMemory, socketMemory, threadMemory } from '../lib/memory.ts';

const MiB = 2 ** 20;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipstream-memory-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

/** A process in the cgroup of version 2 at that path. */
function secondVersion(path: string, mountedRoot = '/'): void {
  write({
    'proc/cgroup': `0::${path}\n`,
    'proc/mountinfo': [
      '22 1 0:5 / /proc rw - proc proc rw',
      `30 23 0:26 ${mountedRoot} ${root}/fs rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`,
      '',
    ].join('\n'),
  });
}

const find = () => findMemoryLimit(join(root, 'proc'));
const stat = (fileBytes: number) =>
  `anon 1\nfile 1\nsock 4096\ninactive_file ${fileBytes}\nactive_file ${fileBytes}\n`;

test('the tightest of all cgroups up to the outermost counts, by what is used and cannot be had back', () => {
  secondVersion('/system.slice/slipstream.service');
  write({
    'fs/system.slice/slipstream.service/memory.max': 'max\n',
    'fs/system.slice/slipstream.service/memory.high': 'max\n',
    'fs/system.slice/slipstream.service/memory.current': `${90 * MiB}\n`,
    'fs/system.slice/memory.max': `${400 * MiB}\n`,
    'fs/system.slice/memory.high': 'max\n',
    'fs/system.slice/memory.current': `${300 * MiB}\n`,
    'fs/system.slice/memory.stat': stat(50 * MiB),
  });
  const limit = find();
  expect([limit.of, limit.limitBytes]).toEqual(['cgroup_v2', 400 * MiB]);
  expect(limit.use()).toEqual({ usedBytes: 200 * MiB, limitBytes: 400 * MiB });
  write({ 'fs/system.slice/memory.current': `${380 * MiB}\n` });
  expect(limit.use()).toEqual({ usedBytes: 280 * MiB, limitBytes: 400 * MiB });
});

test('above memory.high a process is slowed down: it counts as a limit', () => {
  secondVersion('/a');
  write({ 'fs/a/memory.max': `${400 * MiB}`, 'fs/a/memory.high': `${300 * MiB}` });
  expect(find().limitBytes).toBe(300 * MiB);
});

test('of two limits the one with less room in proportion is what use tells', () => {
  secondVersion('/a/b');
  write({
    'fs/a/b/memory.max': `${100 * MiB}`,
    'fs/a/b/memory.current': `${50 * MiB}`,
    'fs/a/memory.max': `${200 * MiB}`,
    'fs/a/memory.current': `${180 * MiB}`,
  });
  expect(find().limitBytes).toBe(100 * MiB);
  expect(find().use()).toEqual({ usedBytes: 180 * MiB, limitBytes: 200 * MiB });
});

test.each([
  ['a namespace of its own', '/', '/'],
  ['the path of the machine, and only its own part mounted', '/docker/abc', '/docker/abc'],
  ['the path of the machine, which is not to be seen', '/docker/abc', '/'],
])('in a container: %s', (_name, path, mountedRoot) => {
  secondVersion(path, mountedRoot);
  write({ 'fs/memory.max': `${300 * MiB}`, 'fs/memory.current': `${7 * MiB}` });
  expect(find().use()).toEqual({ usedBytes: 7 * MiB, limitBytes: 300 * MiB });
});

test('version 1, also beside a version 2 without a memory controller', () => {
  write({
    'proc/cgroup': '4:memory:/docker/abc\n3:cpuset:/\n0::/\n',
    'proc/mountinfo': [
      `34 31 0:31 / ${root}/cpu rw - cgroup cgroup rw,cpu`,
      `35 31 0:32 / ${root}/fs rw - cgroup cgroup rw,memory`,
      `41 31 0:38 / ${root}/unified rw - cgroup2 cgroup2 rw`,
      '',
    ].join('\n'),
    'fs/docker/abc/memory.limit_in_bytes': `${500 * MiB}\n`,
    'fs/docker/abc/memory.usage_in_bytes': `${100 * MiB}\n`,
    'fs/docker/abc/memory.stat': `inactive_file 1\ntotal_inactive_file ${10 * MiB}\ntotal_active_file ${20 * MiB}\n`,
    // No limit.
    'fs/docker/memory.limit_in_bytes': '9223372036854771712\n',
  });
  const limit = find();
  expect([limit.of, limit.use()]).toEqual(['cgroup_v1', { usedBytes: 70 * MiB, limitBytes: 500 * MiB }]);
});

test('without a limit, or without cgroups, it is the machine', () => {
  expect(find()).toMatchObject({ of: 'machine', limitBytes: totalmem() });
  secondVersion('/a');
  write({ 'fs/a/memory.max': 'max\n', 'fs/a/memory.high': 'max\n' });
  expect(find().of).toBe('machine');
  const { usedBytes = 0, limitBytes = 0 } = find().use() ?? {};
  expect(usedBytes).toBeGreaterThan(MiB);
  expect(limitBytes).toBe(totalmem());
});

test('a cgroup that cannot be read any more says nothing', () => {
  secondVersion('/a');
  write({ 'fs/a/memory.max': `${300 * MiB}` });
  expect(find().use()).toBeUndefined();
});

test('the process and the thread say what they use', () => {
  const { residentBytes, anonymousBytes = 1 } = processMemory();
  expect(residentBytes).toBeGreaterThan(20 * MiB);
  expect(anonymousBytes).toBeLessThanOrEqual(residentBytes * 1.1);
  const { bytes } = socketMemory() ?? { bytes: 0 };
  expect(bytes).toBeGreaterThanOrEqual(0);
  collectGarbage(false);
  const before = threadMemory();
  const kept = Array.from({ length: 200_000 }, (_, at) => ({ at }));
  const buffer = Buffer.alloc(8 * MiB);
  const during = threadMemory();
  expect(during.externalBytes - before.externalBytes).toBeGreaterThan(7 * MiB);
  expect(during.arrayBufferBytes - before.arrayBufferBytes).toBeGreaterThan(7 * MiB);
  expect(during.limitBytes).toBe(before.limitBytes);
  collectGarbage(false);
  // Survivors are no longer young.
  collectGarbage(false);
  expect(threadMemory().usedBytes - before.usedBytes).toBeGreaterThan(2 * MiB);
  expect(kept.length + buffer.length).toBeGreaterThan(8 * MiB);
});

test.for([
  [['--max-semi-space-size=48'], ''],
  [[], '--max-semi-space-size=48'],
  [['--max-semi-space-size=48'], '--max-semi-space-size=8'],
] as const)('the heap is what V8 may have beside its youngest objects: %j, %j', async ([flags, options]) => {
  const memory = pathToFileURL(join(import.meta.dirname, '../lib/memory.ts')).href;
  const script = `
    import { getHeapStatistics } from 'node:v8';
    const { heapUse } = await import('${memory}');
    console.log(getHeapStatistics().heap_size_limit - heapUse().limitBytes);`;
  const env = { ...process.env, NODE_OPTIONS: options };
  const args = [...flags, '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  expect(Number(stdout)).toBe(3 * 48 * MiB);
});
