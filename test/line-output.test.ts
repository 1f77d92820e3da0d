import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LineOutput } from '../lib/line-output.ts';
import { encodeInfo } from '../simulator/lib/frame-encoder.ts';
import { FramePool } from '../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../simulator/lib/network.ts';
import { RelayServer } from '../simulator/lib/relay-server.ts';

/** A pipe of so many bytes, and what has been read of it. */
class Pipe {
  room: number;
  text = '';

  constructor(room: number) {
    this.room = room;
  }

  readonly write = (bytes: Uint8Array): number => {
    const taken = Math.min(this.room, bytes.length);
    if (taken === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    this.room -= taken;
    this.text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  };
}

const lost = (lines: number): string => `${lines} lost\n`;

test('what a full pipe does not take waits, up to a bound; what is lost is told where it is missing', () => {
  const pipe = new Pipe(7);
  const output = new LineOutput(pipe.write, lost);
  output.write('first\n');
  output.write('second\n');
  const large = `${'x'.repeat(1024 * 1024)}\n`;
  for (const line of [large, 'third\n', 'fourth\n']) output.write(line);
  expect(pipe.text).toBe('first\ns');
  expect(output.lostLines).toBe(2);
  pipe.room = Number.POSITIVE_INFINITY;
  output.flush();
  output.write('fifth\n');
  expect(pipe.text).toBe(`first\nsecond\n${large}2 lost\nfifth\n`);
  expect(output.lostLines).toBe(2);
});

test('a reader that is gone is nothing to stop for', () => {
  const output = new LineOutput(() => {
    throw Object.assign(new Error('gone'), { code: 'EPIPE' });
  }, lost);
  output.write('a\n');
  output.write('b\n');
  output.flush();
  expect(output.lostLines).toBe(2);
});

const shell = fileURLToPath(new URL('../cmd/slipstream.ts', import.meta.url));
/** More than a pipe takes, in lines that the logger does not take for repeats. */
const notices = 120;

test.skipIf(process.platform === 'win32')(
  'a daemon whose log nobody reads goes on, and what it said is there when it is read',
  async () => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'unread', accounts: 4 }), 8);
    const relay = await RelayServer.listen({ source: pool });
    const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-unread-'));
    const log = ['--data-dir', dataDir, '--log-format', 'json'];
    // No more subscribers than few open files allow: the first line is that of the start.
    const flags = ['--ws-url', relay.url, ...log, '--workers', '0', '--max-subscribers', '10'];
    const listen = ['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'];
    // The shell's is a pipe, as a supervisor's is. Its reader takes one line, and goes on when it is told to.
    const script = '"$0" "$@" | { read -r line; echo "$line"; read -r _ <&3; cat; }';
    const child = spawn('/bin/sh', ['-c', script, process.execPath, shell, ...flags, ...listen], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      detached: true,
    });
    let text = '';
    child.stdout?.on('data', (data: Buffer) => {
      text += data;
    });
    await expect.poll(() => text).toContain('"started"');
    const port = /:(\d+)$/.exec(JSON.parse(text).metrics)?.[1];
    const metric = async (name: string): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
        signal: AbortSignal.timeout(10_000),
      });
      const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length));
    };
    await expect.poll(() => relay.connections).toBe(1);
    const long = '\u0001'.repeat(200);
    for (let at = 0; at < notices; at++) relay.sendRaw(encodeInfo(`Notice${at} ${long}`, long));
    await relay.publish(8);
    await expect.poll(() => metric('slipstream_published_blocks_total')).toBeGreaterThan(0);
    expect(await metric('slipstream_frames_total{type="info"}')).toBe(notices);
    (child.stdio[3] as NodeJS.WritableStream).write('\n');
    await expect.poll(() => text.split('relay notice').length - 1).toBe(notices);
    expect(await metric('slipstream_log_lines_lost_total')).toBe(0);
    process.kill(-(child.pid as number), 'SIGTERM');
    await once(child, 'exit');
    await relay.close();
    await rm(dataDir, { recursive: true, maxRetries: 50, retryDelay: 100 });
  },
);

test('what is said at the end is there: a wrong setting, and a log that cannot be opened', async () => {
  const output = async (...flags: string[]): Promise<{ text: string; code: number }> => {
    const child = spawn(process.execPath, [shell, '--log-format', 'json', ...flags], { stdio: 'pipe' });
    const parts: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => parts.push(data));
    const [code] = await once(child, 'close');
    return { text: Buffer.concat(parts).toString(), code };
  };
  expect(await output('--retention-bytes', '63MiB')).toEqual({
    code: 2,
    text: expect.stringMatching(/at least 64MiB.*CONFIG_/s),
  });
  const missing = join(shell, 'data');
  const failed = await output('--data-dir', missing);
  expect(failed).toMatchObject({ code: 1, text: expect.stringContaining('LOG_OPEN_FAILED') });
});
