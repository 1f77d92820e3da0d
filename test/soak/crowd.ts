// A soak by hand: thousands of clients that come and go for an hour, beside two live subscribers that see every event. Heap snapshots
// before they come and after they have left are compared: the daemon keeps nothing of them. One thread serves everybody, so that one
// snapshot shows all of it.
//
//   node test/soak/crowd.ts --minutes 60 --clients 10000 --stay 300 --out crowd.json --picture crowd.svg
//
// Each of the crowd is a file of two processes: `ulimit -n` has to be a quarter more than the clients.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LocalProcess } from '../../bench/local-process.ts';
import { Daemon } from '../crash/daemon.ts';
import { type CrowdSample, drawCrowd, failedOf } from './crowd-picture.ts';
import type { CrowdReport, CrowdRequest } from './crowd-process.ts';
import { EndCounts } from './end-counts.ts';
import { grownKinds, heapBytes, readHeap } from './heap-census.ts';
import type { HonestReport, HonestRequest } from './honest-process.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10000' },
    stay: { type: 'string', default: '300' },
    rate: { type: 'string', default: '500' },
    out: { type: 'string', default: 'crowd.json' },
    picture: { type: 'string', default: '' },
    seed: { type: 'string', default: new Date().toISOString().slice(0, 10) },
  },
});
const totalMs = Number(flags.minutes) * 60_000;
const sampleMs = 10_000;
/** Until what a first crowd leaves warm (code, pools, tables) is there, and until timers and lingering ends of the last are over. */
const settleMs = 40_000;
/** Until a crowd is there, or has gone, on a machine with other work. */
const arriveMsMax = 300_000;
/** How far from its number a crowd may be that is there: some are always on their way. */
const arrivedPart = 0.05;
/** Of one kind, fewer are not worth a line: the daemon goes on, and has a log that grows. */
const grownCountMin = 200;

const here = import.meta.dirname;
const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-crowd-'));
const honest = fork(resolve(here, 'honest-process.ts'));
const crowd = fork(resolve(here, 'crowd-process.ts'));
const crowdReady = answer<string>(crowd);
const problems: string[] = [];
const samples: CrowdSample[] = [];
const began = new Date().toISOString();
const startMs = performance.now();
/** What the two live subscribers have had. */
let eventsHad = 0;

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

/** Waits until the daemon has written one more snapshot, whole, and answers again. */
async function takeSnapshot(daemon: Daemon, counts: EndCounts): Promise<string> {
  const snapshots = (): string[] => readdirSync(dataDir).filter((name) => name.endsWith('.heapsnapshot'));
  const before = new Set(snapshots());
  process.kill(daemon.pid as number, 'SIGUSR2');
  for (let size = -1; ; await sleep(500)) {
    const name = snapshots().find((one) => !before.has(one));
    if (name === undefined) continue;
    const path = join(dataDir, name);
    const now = statSync(path).size;
    if (now > 0 && now === size) {
      await counts.read();
      return path;
    }
    size = now;
  }
}

let results = {};

function save(): void {
  writeFileSync(flags.out, `${JSON.stringify({ ...flags, began, samples, problems, ...results })}\n`);
  if (flags.picture !== '') writeFileSync(flags.picture, drawCrowd(began, samples));
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

  let [lastMs, lastCpu] = [performance.now(), measured.cpuSeconds()];
  async function sample(): Promise<CrowdReport> {
    if (daemon.exit !== undefined) throw new Error(`the daemon ended: ${daemon.lines.join('\n')}`);
    const report = await ask<HonestReport>(honest, { kind: 'report' });
    const there = await ask<CrowdReport>(crowd, 'report');
    const [nowMs, cpu] = [performance.now(), measured.cpuSeconds()];
    samples.push({
      ...report,
      seconds: (nowMs - startMs) / 1000,
      rssBytes: measured.rssBytes(),
      anonymousBytes: measured.anonymousBytes(),
      cpuMsPerSecond: ((cpu - lastCpu) * 1e6) / (nowMs - lastMs),
      crowd: there,
      ...(await counts.read()),
    });
    [lastMs, lastCpu] = [nowMs, cpu];
    eventsHad += report.events;
    noteProblem(report.problem);
    save();
    return there;
  }

  /** Has that many there for a time, and notes every few seconds what they cost. */
  async function hold(clients: number, ms: number): Promise<CrowdReport> {
    crowd.send({ ...request, clients } satisfies CrowdRequest);
    const sentMs = performance.now();
    const isThere = (one: CrowdReport): boolean => Math.abs(one.clients - clients) <= clients * arrivedPart;
    let endMs: number | undefined;
    for (;;) {
      await sleep(Math.min(sampleMs, ms));
      const there = await sample();
      if (endMs === undefined && (isThere(there) || lastMs - sentMs > arriveMsMax)) endMs = lastMs + ms;
      if (endMs !== undefined && lastMs >= endMs) return there;
    }
  }

  await hold(Number(flags.clients), settleMs);
  await hold(0, settleMs);
  const before = await takeSnapshot(daemon, counts);
  await hold(Number(flags.clients), totalMs);
  const last = await hold(0, settleMs);
  const after = await takeSnapshot(daemon, counts);
  const heaps = [readHeap(before), readHeap(after)] as const;
  const grown = grownKinds(...heaps, grownCountMin);
  const finished = await ask<HonestReport>(honest, { kind: 'finish' });
  eventsHad += finished.events;
  noteProblem(finished.problem);
  const { code, signal } = await daemon.stop();
  if (code !== 0) problems.push(`the stop ended with ${code ?? signal}`);
  problems.push(...daemon.errors);
  const heap = heaps.map(heapBytes);
  results = { grown, heapBytes: heap, clients: last, eventsHad };
  console.log(
    `crowd: ${last.opened} clients came and went, ${last.messages} messages to them, ${last.ended} of them ended by the daemon, ${failedOf(last)} not let in (${JSON.stringify(last.failed)}); ${eventsHad} events to two live subscribers`,
  );
  console.log(
    `  heap before and after: ${heap.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(' and ')} MiB`,
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
  save();
  await daemon.kill();
  honest.kill('SIGKILL');
  crowd.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
}
for (const problem of problems) console.error(`crowd: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
