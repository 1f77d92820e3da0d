// More clients than the daemon may have files open: they are refused with a reason, and the log has what it needs.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Attacker, handshake, reset } from './attackers.ts';
import { Target } from './target.ts';

it.each([256, 512])('with %d files, a crowd of one address ends nothing', async (openFiles) => {
  // A small log: LevelDB begins a new file every second or so.
  await using target = await Target.start(['--workers', '1', '--retention-bytes', '64MiB'], { openFiles });
  expect(target.daemon.lines.join('\n')).toContain('raise ulimit -n');
  await target.under(256 * 2 ** 20, async () => {
    const crowd: Attacker[] = [];
    for (let at = 0; at < 1.5 * openFiles; at++) {
      crowd.push(new Attacker(target.port, handshake()));
      // As fast as honest clients that come back: a few at a time.
      if (at % 8 === 7) await sleep(5);
    }
    await expect
      .poll(() => crowd.filter(({ received }) => received.startsWith('HTTP/1.1 503')).length)
      .toBeGreaterThan(0);
    await sleep(4_000);
    reset(crowd);
  });
  await target.finish();
});
