// The command as another process sees it: its one line of output, its exit codes, its files.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeFrame } from '../lib/frame-encoder.ts';
import { readFrames } from '../lib/frames-file.ts';
import { RelayReader } from './relay-reader.ts';

const command = resolve(import.meta.dirname, '../cmd/relay-sim.ts');
const running: ChildProcess[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-sim-'));
});
afterEach(() => {
  for (const child of running.splice(0)) {
    child.kill('SIGKILL');
  }
});
afterAll(() => rm(folder, { recursive: true }));

interface Run {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
}

function run(...flags: string[]): Run {
  const child = spawn(process.execPath, [command, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  const result: Run = { child, stdout: '', stderr: '' };
  child.stdout?.on('data', (text) => {
    result.stdout += text;
  });
  child.stderr?.on('data', (text) => {
    result.stderr += text;
  });
  return result;
}

async function urlOf(result: Run): Promise<string> {
  await expect.poll(() => result.stdout).toContain('\n');
  const match = /^relay-sim listening (ws:\/\/127\.0\.0\.1:\d+)\n$/.exec(result.stdout);
  expect(match).not.toBeNull();
  return match?.[1] ?? '';
}

describe('relay-sim', () => {
  it('serves a network and ends on SIGTERM', async () => {
    const result = run('--rate', '0', '--backlog', '5', '--accounts', '2', '--first-seq', '11');
    const reader = await new RelayReader(await urlOf(result), '?cursor=10').frames(5);
    expect(reader.binary.map((frame) => decodeFrame(frame).body.seq)).toEqual([11, 12, 13, 14, 15]);
    result.child.kill('SIGTERM');
    expect(await once(result.child, 'exit')).toEqual([0, null]);
    expect(result.stderr).toBe('');
  });

  it('is a directory beside the relay', async () => {
    const result = run(
      '--rate',
      '0',
      '--accounts',
      '2',
      '--directory-port',
      '0',
      '--backlog',
      '3',
      '--first-seq',
      '1',
    );
    await expect.poll(() => result.stdout).toContain('listening');
    const [, url, relay] =
      /^relay-sim directory (\S+)\nrelay-sim listening (\S+)\n$/.exec(result.stdout) ?? [];
    const [frame] = (await new RelayReader(relay, '?cursor=0').frames(1)).binary;
    const { body } = decodeFrame(frame);
    const did = String(body.repo ?? body.did);
    expect(await (await fetch(`${url}/${did}`)).json()).toMatchObject({ id: did });
  });

  it('writes the DID documents of its accounts', async () => {
    const [frames, documents] = ['c.bin', 'c.json'].map((name) => join(folder, name));
    const flags = [
      '--accounts',
      '2',
      '--count',
      '9',
      '--write-frames',
      frames,
      '--write-did-documents',
      documents,
    ];
    await once(run(...flags).child, 'exit');
    const all = JSON.parse(await readFile(documents, 'utf8'));
    for (const frame of await readFrames(frames)) {
      const { body } = decodeFrame(frame);
      const did = String(body.repo ?? body.did);
      expect(all[did]).toMatchObject({ id: did, verificationMethod: [{ type: 'Multikey' }] });
    }
  });

  it('writes the same file for the same seed, and stamps its frames', async () => {
    const flags = ['--accounts', '2', '--count', '20', '--write-frames'];
    const paths = ['a.bin', 'b.bin'].map((name) => join(folder, name));
    const writers = paths.map((path) => run(...flags, path));
    const exits = await Promise.all(writers.map(({ child }) => once(child, 'exit')));
    expect(exits).toEqual([
      [0, null],
      [0, null],
    ]);
    expect((await readFile(paths[0])).equals(await readFile(paths[1]))).toBe(true);
    expect(await readFrames(paths[0])).toHaveLength(20);

    const pooled = run('--frames-file', paths[0], '--pool', '20', '--rate', 'max', '--first-seq', '500');
    const reader = await new RelayReader(await urlOf(pooled), '?cursor=499').frames(100);
    expect(decodeFrame(reader.binary[99]).body.seq).toBe(599);
    reader.terminate();
  });

  // More of them in relay-sim.long.ts.
  it.each([
    ['CONFIG_FLAG_INVALID', '--rate', 'fast'],
    ['CONFIG_UNKNOWN_FLAG', '--unknown', '1'],
    ['SIMULATOR_FILE_FAILED', '--frames-file', '/nonexistent'],
    ['SIMULATOR_FILE_FAILED', '--write-frames', '/nonexistent/frames', '--count', '1'],
  ])('answers with one line, %s and status 2: %s %s', async (code, ...flags) => {
    const result = run(...flags);
    expect(await once(result.child, 'close')).toEqual([2, null]);
    expect(result.stderr).toMatch(new RegExp(`^relay-sim: [^\\n]+ \\(${code}\\)\\n$`));
    expect(result.stdout).toBe('');
  });

  it('says so when its port is taken', async () => {
    const first = run('--rate', '0');
    const { port } = new URL(await urlOf(first));
    const second = run('--port', port);
    expect(await once(second.child, 'close')).toEqual([2, null]);
    expect(second.stderr).toMatch(/^relay-sim: .+EADDRINUSE.+ \(SIMULATOR_LISTEN_FAILED\)\n$/);
  });

  it('explains itself', async () => {
    const result = run('--help');
    expect(await once(result.child, 'close')).toEqual([0, null]);
    expect(result.stdout).toContain('--frames-file');
  });
});
