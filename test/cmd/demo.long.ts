// `slipstream demo` as a process, and the daemon's banner, on a terminal of their own where there is `script`.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const hasScript = spawnSync('script', ['--version']).error === undefined;
const freePorts = '--listen-addr 127.0.0.1:0 --metrics-listen-addr 127.0.0.1:0';

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, flags: string, onTerminal = false, until?: RegExp): Promise<Run> {
  const env = { ...process.env, TMPDIR: folder, TERM: 'xterm', npm_lifecycle_event: undefined };
  const line = `exec ${process.execPath} ${program} ${command} ${flags}`;
  const child = onTerminal
    ? spawn('script', ['-qec', `stty cols 80 rows 30; ${line}`, '/dev/null'], { env, stdio: 'pipe' })
    : spawn('sh', ['-c', line], { env, stdio: 'pipe' });
  onTestFinished(() => void child.kill());
  const texts = { stdout: '', stderr: '' };
  let isStopped = false;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
      if (isStopped || !until?.test(texts[name])) return;
      isStopped = true;
      // As a person does.
      child.stdin.write('\x03');
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...texts };
}

test('a program gets all events as JSON, and nothing is left behind', async () => {
  const { code, stdout, stderr } = await run('demo', `${freePorts} --events 20`);
  expect(code).toBe(0);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events).toHaveLength(20);
  for (const event of events) expect(event.did).toMatch(/^did:(plc|web):/);
  expect(stderr).toMatch(/^demo: the daemon is at http:\/\/127\.0\.0\.1:\d+\/\n$/);
  expect(await readdir(folder)).toEqual([]);
});

test('an address that is taken is said in a line', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const { code, stdout, stderr } = await run('demo', `--listen-addr 127.0.0.1:${port}`);
  taken.close();
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^demo: the daemon has ended: [^\n]*127\.0\.0\.1:\d+[^\n]* \(DEMO_FAILED\)\n$/);
  expect(await readdir(folder)).toEqual([]);
});

test('a flag of the network that is wrong is said in a line', async () => {
  const { code, stderr } = await run('demo', `${freePorts} --rate fast`);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^demo: the relay has ended: relay-sim: --rate fast: [^\n]+ \(DEMO_FAILED\)\n$/);
});

test.skipIf(!hasScript)('a person gets a banner that stays, and some of the events', async () => {
  const { code, stdout } = await run('demo', freePorts, true, / [1-9]\d* events in|\n[1-9]\d* events in/);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Slipstream \d+\.\d+\.\d+, on a synthetic network of 50 frames a second\r\n {2}page +http:/,
  );
  expect(stdout).toMatch(/\r\n {2}try +slipstream tail ws:\/\/127\.0\.0\.1:\d+ -c app\.bsky\.feed\.post\r\n/);
  // What is drawn is drawn over what was there, and never reaches the banner.
  const rows = [...stdout.matchAll(/\x1b\[(\d+)A/g)].map(([, up]) => Number(up));
  expect(Math.max(...rows)).toBeLessThanOrEqual(14);
  expect(await readdir(folder)).toEqual([]);
});

test.skipIf(!hasScript)("the daemon's banner on a terminal", async () => {
  const flags = `--ws-url ws://127.0.0.1:9 --data-dir ${folder}/data ${freePorts} --workers 0`;
  const { code, stdout } = await run('', flags, true, /cannot reach the relay/);
  expect(code).toBe(0);
  const text = stdout.replaceAll(/\x1b\[\d+m/g, '');
  expect(text).toMatch(
    /INFO {2}Slipstream \d+\.\d+\.\d+\r\n {2}subscribe {2}ws:\/\/127\.0\.0\.1:\d+\/subscribe\r\n/,
  );
  expect(text).toMatch(/\r\n {2}log +\S+\/data: empty; kept: 1 d or 10\.0 GiB\r\n/);
  expect(text).toMatch(
    /\r\n {2}v1 clients compressed events are 68 % of their JSON; for 45 % run, then restart:\r\n {13}slipstream dictionaries fetch --data-dir/,
  );
  expect(text).toMatch(/\r\n {2}relay +connecting to 127\.0\.0\.1:9\r\n {2}try +slipstream tail ws:/);
  expect(text).toMatch(/WARN {2}cannot reach the relay relay=127\.0\.0\.1:9/);
});
