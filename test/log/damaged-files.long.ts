import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLog } from '../cmd/inspect/sample-log.ts';
import { seededRandom } from '../support/events.ts';
import type { FileChange } from './damage-child.ts';
import { digestOf, type Outcome } from './damaged-log.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1e6);
const damagesMax = Number(process.env.DAMAGES ?? 3);
const tableEnd = 1500;
let dataDir: string;
let honest: Set<string>;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-damages-'));
  const sizes = Array.from({ length: 34 }, (_, block) => (block % 3 === 0 ? 256 : 30));
  const { sample } = await makeLog(dataDir, 5, sizes);
  honest = new Set(sample.events.map((event) => digestOf(JSON.stringify(event))));
});
afterAll(() => rmSync(dataDir, { recursive: true }));

/** Files of both databases that hold something, but for what LevelDB writes for people. */
function filesOf(): string[] {
  return ['blocks', 'journal'].flatMap((folder) =>
    readdirSync(join(dataDir, folder))
      .filter((name) => /^(\d|MANIFEST|CURRENT)/.test(name))
      .map((name) => `${folder}/${name}`)
      .filter((file) => statSync(join(dataDir, file)).size > 0),
  );
}

/** Half of them at the beginning or the end, where LevelDB's own notes are. */
function randomDamage(random: () => number): FileChange {
  const below = (end: number): number => Math.floor(random() * end);
  const tables = filesOf().filter((file) => file.endsWith('.ldb'));
  const from = random() < 0.6 ? tables : filesOf();
  const file = from[below(from.length)];
  const { size } = statSync(join(dataDir, file));
  const part = random();
  const byte =
    part < 0.4 ? size - 1 - below(Math.min(size, tableEnd)) : below(part < 0.5 ? Math.min(size, 60) : size);
  const kind = (['bit', 'page', 'cut'] as const)[below(3)];
  return {
    file,
    kind,
    offset: kind === 'bit' ? byte * 8 + below(8) : byte - (kind === 'page' ? byte % 4096 : 0),
  };
}

/** Outcomes by the damage's number; a process that ended by itself is in none. */
function tryAll(damages: readonly FileChange[]): Map<number, Outcome> {
  const outcomes = new Map<number, Outcome>();
  const child = join(import.meta.dirname, 'damage-child.ts');
  const run = spawnSync(process.execPath, [child, dataDir, JSON.stringify(damages), '0'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  for (const line of run.stdout.split('\n').filter(Boolean)) {
    const { at, ...outcome } = JSON.parse(line);
    outcomes.set(at, outcome);
  }
  const unfinished = JSON.stringify(damages[outcomes.size]);
  expect(run, `seed ${seed}, ${unfinished}: ${run.stderr}`).toMatchObject({ status: 0, signal: null });
  return outcomes;
}

function expectSound(damage: FileChange, outcome: Outcome): void {
  const told = `seed ${seed}, ${JSON.stringify(damage)}`;
  const { daemon, served, repaired, rows, problemsAfter } = outcome;
  expect(daemon, told).toMatch(/^(served|LOG_CORRUPT|LOG_OPEN_FAILED|LOG_NEWER_FORMAT)$/);
  for (const digest of [...served, ...repaired]) expect(honest.has(digest), told).toBe(true);
  expect(problemsAfter, told).toBe(0);
  // What is missing behind the last block that anything is known of comes again from the relay.
  const isTold = rows.some((reason) => reason === 'log_damaged' || reason === 'log_cut');
  if (daemon === 'LOG_CORRUPT' && repaired.length < honest.size) expect(isTold, told).toBe(true);
}

test('no damage to a file ends a process, and a repair leaves what is whole', { timeout: 300_000 }, () => {
  const random = seededRandom(seed);
  const damages = Array.from({ length: damagesMax }, () => randomDamage(random));
  const outcomes = tryAll(damages);
  expect(outcomes.size).toBe(damages.length);
  for (const [at, outcome] of outcomes) expectSound(damages[at], outcome);
});

test('an index, a first page and a description that are damaged are repaired, with rows', {
  timeout: 60_000,
}, () => {
  const file = readdirSync(join(dataDir, 'blocks')).find((name) => name.endsWith('.ldb'))!;
  const bytes = readFileSync(join(dataDir, 'blocks', file));
  const damages: FileChange[] = [
    { file: `blocks/${file}`, kind: 'page', offset: 0 },
    { file: `blocks/${file}`, kind: 'page', offset: bytes.length - (bytes.length % 4096) },
    { file: `blocks/${file}`, kind: 'bit', offset: (bytes.length >> 1) * 8 },
  ];
  const [first, index, middle] = tryAll(damages).values();
  expect(first).toMatchObject({ daemon: 'LOG_CORRUPT', problemsAfter: 0, rows: ['log_damaged'] });
  expect(index).toMatchObject({ daemon: 'served', problemsAfter: 0 });
  expect(index.served.length).toBeGreaterThan(honest.size / 2);
  expect(index.repaired.length).toBeGreaterThan(honest.size / 2);
  expect(middle).toMatchObject({ files: 1, rows: ['log_damaged'] });
});
