// A soak by hand: thousands of clients that come and go for an hour, beside two live subscribers that see every event. Heap snapshots
// before they come and after they have left are compared: the daemon keeps nothing of them. One thread serves everybody, so that one
// snapshot shows all of it.
//
//   node test/soak/crowd.ts --minutes 60 --clients 10000 --stay 300 --out crowd.json

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LocalProcess } from '../../bench/local-process.ts';
import { Daemon } from '../crash/daemon.ts';
import type { CrowdReport, CrowdRequest } from './crowd-process.ts';
import { EndCounts } from './end-counts.ts';
import { grownKinds, readHeap } from './heap-census.ts';
import type { HonestReport, HonestRequest } from './honest-process.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10000' },
    stay: { type: 'string', default: '300' },
    rate: { type: 'string', default: '500' },
    out: { type: 'string', default: 'crowd.json' },
    seed: { type: 'string', default: new Date().toISOString().slice(0, 10) },
  },
});
const totalMs = Number(flags.minutes) * 60_000;
const sampleMs = 10_000;
/** Until what a first crowd leaves warm (code, pools, tables) is there, and until timers and lingering ends of the last are over. */
const settleMs = 40_000;
/** Of one kind, fewer are not worth a line: the daemon goes on, and has a log that grows. */
const grownCountMin = 200;

const here = import.meta.dirname;
const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-crowd-'));
const honest = fork(resolve(here, 'honest-process.ts'));
const crowd = fork(resolve(here, 'crowd-process.ts'));
const crowdReady = answer<string>(crowd);
const problems: string[] = [];
const samples: object[] = [];

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message');
  return message as T;
}

function ask<T>(child: ChildProcess, request: HonestRequest | 'report'): Promise<T> {
  const answered = answer<T>(child);
  child.send(request);
  return answered;
}

function noteProblem(problem: string | undefined): void {
  if (problem !== undefined && !problems.includes(problem)) problems.push(problem);
}

/** Waits until the daemon has written one more snapshot, whole. */
async function takeSnapshot(daemon: Daemon): Promise<string> {
  const snapshots = (): string[] => readdirSync(dataDir).filter((name) => name.endsWith('.heapsnapshot'));
  const before = new Set(snapshots());
  process.kill(daemon.pid as number, 'SIGUSR2');
  for (let size = -1; ; await sleep(500)) {
    const name = snapshots().find((one) => !before.has(one));
    if (name === undefined) continue;
    const path = join(dataDir, name);
    const now = statSync(path).size;
    if (now > 0 && now === size) return path;
    size = now;
  }
}

function save(rest: object): void {
  writeFileSync(flags.out, `${JSON.stringify({ ...flags, samples, problems, ...rest })}\n`);
}

async function main(daemon: Daemon): Promise<void> {
  const address = await daemon.started;
  if (address === undefined) throw new Error(`the daemon did not start: ${daemon.lines.join('\n')}`);
  await crowdReady;
  const measured = new LocalProcess(daemon.pid as number);
  const counts = new EndCounts(daemon.lines);
  const port = Number(new URL(address).port);
  const request = { port, seed: flags.seed, staySeconds: Number(flags.stay) };
  honest.send({ kind: 'subscribe', url: `${address}/subscribe`, eventsPerSecond: Number(flags.rate) });

  /** Has that many there for a time, and notes every few seconds what they cost. */
  async function hold(clients: number, ms: number): Promise<CrowdReport> {
    crowd.send({ ...request, clients } satisfies CrowdRequest);
    const endMs = performance.now() + ms;
    let [lastMs, lastCpu] = [performance.now(), measured.cpuSeconds()];
    for (;;) {
      await sleep(Math.min(sampleMs, ms));
      if (daemon.exit !== undefined) throw new Error(`the daemon ended: ${daemon.lines.join('\n')}`);
      const report = await ask<HonestReport>(honest, { kind: 'report' });
      const there = await ask<CrowdReport>(crowd, 'report');
      const [nowMs, cpu] = [performance.now(), measured.cpuSeconds()];
      const cpuMsPerSecond = ((cpu - lastCpu) * 1e6) / (nowMs - lastMs);
      samples.push({
        ...report,
        rssBytes: measured.rssBytes(),
        anonymousBytes: measured.anonymousBytes(),
        cpuMsPerSecond,
        crowd: there,
        ...(await counts.read()),
      });
      [lastMs, lastCpu] = [nowMs, cpu];
      noteProblem(report.problem);
      save({});
      if (nowMs >= endMs) return there;
    }
  }

  await hold(Number(flags.clients), settleMs);
  await hold(0, settleMs);
  const before = await takeSnapshot(daemon);
  await hold(Number(flags.clients), totalMs);
  const last = await hold(0, settleMs);
  const after = await takeSnapshot(daemon);
  const grown = grownKinds(readHeap(before), readHeap(after), grownCountMin);
  noteProblem((await ask<HonestReport>(honest, { kind: 'finish' })).problem);
  const { code, signal } = await daemon.stop();
  if (code !== 0) problems.push(`the stop ended with ${code ?? signal}`);
  problems.push(...daemon.errors);
  save({ grown, clients: last });
  console.log(
    `crowd: ${last.opened} clients came and went, ${last.messages} events to them, ${last.ended} refused or ended by the daemon`,
  );
  for (const { kind, count, bytes } of grown.slice(0, 30))
    console.log(`  +${count} ${kind} (${bytes} bytes)`);
}

const daemon = new Daemon({
  dataDir,
  relayUrl: await answer<string>(honest),
  flags: ['--workers', '0'],
  env: { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${dataDir}` },
});
try {
  await main(daemon);
} catch (error) {
  problems.push(String(error));
} finally {
  save({});
  await daemon.kill();
  honest.kill('SIGKILL');
  crowd.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
}
for (const problem of problems) console.error(`crowd: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
