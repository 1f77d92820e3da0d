import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportLines } from '../../cmd/inspect/export.ts';
import { ClosedLog } from '../../cmd/inspect/reader.ts';
import { repairLog } from '../../cmd/inspect/repair.ts';
import { Daemon } from '../crash/daemon.ts';
import { makeLog } from './inspect/sample-log.ts';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const killer = resolve(import.meta.dirname, 'inspect/kill-at-rename.ts');
let folder: string;
/** A log with a zeroed page at the beginning of its first table, and the events that it had. */
let damaged: string;
let table: string;
let events: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-repair-'));
  damaged = join(folder, 'damaged');
  const made = await makeLog(damaged, 77, [300, 300, 5, 1]);
  events = made.sample.events.map((event) => JSON.stringify(event));
  const name = readdirSync(join(damaged, 'blocks')).find((file) => file.endsWith('.ldb')) as string;
  table = join('blocks', name);
  const bytes = readFileSync(join(damaged, table));
  // Where the log's description is: LevelDB would end the process, and the daemon has no other.
  bytes.fill(0, 0, 4096);
  writeFileSync(join(damaged, table), bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));

function slipstream(flags: readonly string[], env: NodeJS.ProcessEnv = {}, imports: readonly string[] = []) {
  const node = imports.flatMap((file) => ['--import', file]);
  const run = spawnSync(process.execPath, [...node, program, 'inspect', ...flags], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });
  return { status: run.status, signal: run.signal, stdout: run.stdout, stderr: run.stderr };
}

function copyOfDamaged(name: string): string {
  const dataDir = join(folder, name);
  cpSync(damaged, dataDir, { recursive: true });
  return dataDir;
}

test('verify names file and offset, the daemon does not start and says what to do, and after a repair it does', async () => {
  const dataDir = copyOfDamaged('told');
  const found = slipstream(['verify', '--data-dir', dataDir]);
  expect(found).toMatchObject({ status: 1, signal: null, stderr: '' });
  expect(found.stdout).toMatch(new RegExp(`${table}: offset \\d+: `));
  const refused = new Daemon({ dataDir, relayUrl: 'ws://127.0.0.1:1' });
  expect(await refused.exited).toEqual({ code: 1, signal: null });
  const lines = refused.lines.filter((line) => line.includes('LOG_CORRUPT'));
  expect(lines.at(-1)).toMatch(new RegExp(`${table}, at offset \\d+: .*slipstream inspect repair`));

  const repaired = slipstream(['repair', '--data-dir', dataDir]);
  expect(repaired).toMatchObject({ status: 0, stderr: '' });
  expect(repaired.stdout).toContain(`the damaged log is in ${dataDir}/damaged-`);
  expect(slipstream(['verify', '--data-dir', dataDir]).stdout).toMatch(/clean\n$/);
  const daemon = new Daemon({ dataDir, relayUrl: 'ws://127.0.0.1:1' });
  expect(await daemon.started).toBeDefined();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
});

test('a repair that is killed at whichever rename is ended by the next, and nothing starts in between', async () => {
  let renames = 0;
  for (; ; renames++) {
    const dataDir = copyOfDamaged(`killed-${renames}`);
    const env = { KILL_AT_RENAME: String(renames + 1) };
    const killed = slipstream(['repair', '--data-dir', dataDir], env, [killer]);
    if (killed.status === 0) break;
    expect(killed.signal).toBe('SIGKILL');
    const reading = ClosedLog.open(dataDir);
    await expect(reading).rejects.toThrow('run "slipstream inspect repair"');
    await repairLog(dataDir);
    const log = await ClosedLog.open(dataDir);
    const all = { fromUs: 0, toUs: Number.POSITIVE_INFINITY, eventsMax: Number.POSITIVE_INFINITY };
    const left: string[] = [];
    for await (const chunk of exportLines(log, all, () => {}))
      left.push(...Buffer.from(chunk).toString().split('\n').filter(Boolean));
    await log.close();
    expect(left.length).toBeGreaterThan(0);
    for (const event of left) expect(events).toContain(event);
    const aside = readdirSync(dataDir).filter((name) => name.startsWith('damaged-'));
    expect(aside.length).toBe(1);
    expect(readdirSync(join(dataDir, aside[0])).sort()).toEqual(['blocks', 'journal']);
    expect(readdirSync(dataDir).filter((name) => name.startsWith('repair'))).toEqual([]);
  }
  // Four of the repair, and two of each database's redo when the repaired log is opened.
  expect(renames).toBe(8);
});
