// A soak under every attack at once, by hand: the daemon with its defaults and two workers, 500 events a second, two live
// subscribers and one who replays every few minutes, and attackers, one kind after the other, then all, then none, again and again.
// Every five seconds it notes what the daemon takes and what the honest ones get, and in the end writes it down and draws it.
//
//   node test/soak/attacks.ts --minutes 60 --out attacks.json --picture attacks.svg

import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LocalProcess } from '../../bench/local-process.ts';
import { Daemon } from '../crash/daemon.ts';
import { attacks } from './attack-list.ts';
import { drawSoak } from './attack-picture.ts';
import type { AttackRequest } from './attack-process.ts';
import type { DaemonSample } from './daemon-panels.ts';
import { EndCounts } from './end-counts.ts';
import type { HonestReport, HonestRequest, ReplayReport } from './honest-process.ts';

/** What is noted every few seconds. Refusals and ends are those since the note before. */
export interface Sample extends DaemonSample {
  readonly attacks: readonly string[];
  readonly subscribers: number;
  readonly connections: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** All of a run. */
export interface Soak {
  readonly began: string;
  readonly minutes: number;
  readonly seed: string;
  readonly samples: Sample[];
  readonly replays: (ReplayReport & { readonly seconds: number })[];
  readonly problems: string[];
}

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    out: { type: 'string', default: 'attacks.json' },
    picture: { type: 'string', default: '' },
    seed: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    rate: { type: 'string', default: '500' },
    workers: { type: 'string', default: '2' },
  },
});
const totalMs = Number(flags.minutes) * 60_000;
const sampleMs = 5_000;
/** Of a round, at most; shorter where the whole run is. */
const roundMsMax = 10 * 60_000;
/** Parts of a round: each attack alone, all together, none. */
const alonePart = 0.5;
const togetherPart = 0.35;
const replayEveryMs = Math.min(180_000, totalMs / 3);
const replaySeconds = 120;

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((done) => child.once('message', (message) => done(message as T)));
}

/** Asks, and waits for what has that member: a replay goes on while reports are made. */
function ask<T>(child: ChildProcess, request: HonestRequest, member: keyof T & string): Promise<T> {
  return new Promise((done) => {
    const take = (message: unknown): void => {
      if (!(member in (message as object))) return;
      child.off('message', take);
      done(message as T);
    };
    child.on('message', take);
    child.send(request);
  });
}

/** Has the honest ones replay, and notes what came of it. */
async function replay(seconds: number): Promise<void> {
  const report = await ask<ReplayReport>(honest, { kind: 'replay', seconds: replaySeconds }, 'tookMs');
  soak.replays.push({ seconds, ...report });
  if (report.problem !== undefined) soak.problems.push(`${seconds} s: ${report.problem}`);
}

/** Which attacks go on at a time. */
function attacksAt(ms: number): readonly string[] {
  const names = Object.keys(attacks);
  const roundMs = Math.min(roundMsMax, totalMs);
  const part = (ms % roundMs) / roundMs;
  if (part < alonePart) return [names[Math.floor((part / alonePart) * names.length)]];
  return part < alonePart + togetherPart ? names : [];
}

/** TCP connections that this machine has established to a port. */
function connectionsTo(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .filter((line) => {
      const [, from, , state] = line.trim().split(/\s+/);
      return from?.endsWith(local) && state === '01';
    }).length;
}

const here = import.meta.dirname;
const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-attacks-'));
const honest = fork(resolve(here, 'honest-process.ts'));
const attackers = fork(resolve(here, 'attack-process.ts'));
const attackersReady = answer(attackers);
const daemon = new Daemon({
  dataDir,
  relayUrl: await answer<string>(honest),
  flags: ['--workers', flags.workers],
});
const soak: Soak = {
  began: new Date().toISOString(),
  minutes: Number(flags.minutes),
  seed: flags.seed,
  samples: [],
  replays: [],
  problems: [],
};

/** Has what is known so far on the disk, so that a run that is broken off is not lost. */
function save(): void {
  writeFileSync(flags.out, `${JSON.stringify(soak)}\n`);
  if (flags.picture !== '') writeFileSync(flags.picture, drawSoak(soak));
}

async function main(): Promise<void> {
  const address = await daemon.started;
  if (address === undefined) throw new Error(`the daemon did not start: ${daemon.lines.join('\n')}`);
  const counts = new EndCounts(daemon.lines);
  const port = Number(new URL(address).port);
  const pid = daemon.pid as number;
  const measured = new LocalProcess(pid);
  await attackersReady;
  attackers.on('message', (problem) =>
    soak.problems.push(`${(performance.now() - startMs) / 1000} s: ${problem}`),
  );
  honest.send({
    kind: 'subscribe',
    url: `${address}/subscribe`,
    eventsPerSecond: Number(flags.rate),
  } satisfies HonestRequest);
  const startMs = performance.now();
  let [lastMs, lastCpu, replayDueMs] = [startMs, measured.cpuSeconds(), startMs + replayEveryMs];
  let going = '';
  let replaying: Promise<void> | undefined;
  while (performance.now() - startMs < totalMs && daemon.exit === undefined) {
    const names = attacksAt(performance.now() - startMs);
    if (names.join() !== going) attackers.send({ port, seed: flags.seed, names } satisfies AttackRequest);
    going = names.join();
    await sleep(sampleMs);
    if (daemon.exit !== undefined) break;
    const report = await ask<HonestReport>(honest, { kind: 'report' }, 'maxMs');
    const [nowMs, cpu] = [performance.now(), measured.cpuSeconds()];
    const seconds = (nowMs - startMs) / 1000;
    soak.samples.push({
      ...{
        seconds,
        attacks: names,
        rssBytes: measured.rssBytes(),
        anonymousBytes: measured.anonymousBytes(),
        cpuMsPerSecond: ((cpu - lastCpu) * 1e6) / (nowMs - lastMs),
      },
      ...{ connections: connectionsTo(port), ...(await counts.read()), ...report },
    });
    [lastMs, lastCpu] = [nowMs, cpu];
    if (report.problem !== undefined && !soak.problems.includes(report.problem))
      soak.problems.push(report.problem);
    if (nowMs > replayDueMs) {
      replayDueMs = nowMs + replayEveryMs;
      await replaying;
      replaying = replay(seconds);
    }
    save();
  }
  attackers.kill('SIGKILL');
  await replaying;
  if (daemon.exit !== undefined) throw new Error(`the daemon ended: ${daemon.lines.join('\n')}`);
  const last = await ask<HonestReport>(honest, { kind: 'finish' }, 'maxMs');
  if (last.problem !== undefined && !soak.problems.includes(last.problem)) soak.problems.push(last.problem);
  const { code, signal } = await daemon.stop();
  if (code !== 0) soak.problems.push(`the stop ended with ${code ?? signal}`);
  soak.problems.push(...daemon.errors);
}

try {
  await main();
} catch (error) {
  soak.problems.push(String(error));
} finally {
  save();
  await daemon.kill();
  honest.kill('SIGKILL');
  attackers.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
}
const most = (read: (sample: Sample) => number): number => Math.max(0, ...soak.samples.map(read));
const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
console.log(
  `attacks: ${soak.samples.length} samples; at most ${mebibytes(most((one) => one.rssBytes))} resident, ${mebibytes(most((one) => one.anonymousBytes))} anonymous, ` +
    `${Math.round(most((one) => one.cpuMsPerSecond))} ms of CPU a second, ${most((one) => one.connections)} connections; an honest event at most ` +
    `${Math.round(most((one) => one.maxMs))} ms late; ${soak.replays.length} replays, the slowest ${Math.round(Math.max(0, ...soak.replays.map(({ tookMs }) => tookMs)))} ms`,
);
for (const problem of soak.problems) console.error(`attacks: ${problem}`);
process.exit(soak.problems.length === 0 ? 0 : 1);
