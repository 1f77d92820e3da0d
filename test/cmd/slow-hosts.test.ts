import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
/** Says at the end how long Node tries an address where nobody says otherwise: fetch and WebSocket do not. */
const preload = `data:text/javascript,import net from 'node:net';
  process.on('exit', () => console.log('tries', net.getDefaultAutoSelectFamilyAttemptTimeout()));`;

test('commands do not give up an address of a slow host before it can answer', () => {
  const { stdout } = spawnSync(process.execPath, ['--import', preload, program, 'tail', '--help'], {
    encoding: 'utf8',
  });
  expect(Number(/tries (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(1_000 + 300);
});
