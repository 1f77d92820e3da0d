// A daemon that checks commits follows the directory's stream, and calls nothing refuted that a rotation has in flight.

import { expect, test } from 'vitest';
import { startNetwork } from '../../simulator/lib/simulator.ts';
import { Daemon } from '../support/daemon.ts';

/** An event waits 20 ms for its verdict, and machines that are busy take longer: then it is the next one's. */
const patient = { interval: 200, timeout: 60_000 };

test('rotations with commits right behind them', { timeout: 120_000 }, async () => {
  await using network = await startNetwork({
    seed: 'plc daemon',
    accounts: 60,
    wallClock: true,
    historyRecords: 1,
  });
  const directory = await network.startDirectory();
  const flags = ['--ws-url', network.url, '--verify', 'observe', '--plc-url', directory.url];
  await using daemon = await Daemon.start([...flags, '--did-web', 'off', '--workers', '0']);
  const count = (verdict: string, reason: string) =>
    daemon.metric(`slipstream_verify_commits_total{verdict="${verdict}",reason="${reason}"}`);
  await expect.poll(() => daemon.metric('slipstream_verify_plc_stream{state="live"}'), patient).toBe(1);
  const did = network.accounts.find((one) => one.did.startsWith('did:plc:'))?.did as string;
  const web = network.accounts.find((one) => one.did.startsWith('did:web:'))?.did as string;
  const verified = async (): Promise<number> => {
    await network.post('hello', did);
    return count('verified', 'continuous');
  };
  await expect.poll(verified, patient).toBeGreaterThan(0);
  for (let rotations = 0; rotations < 5; rotations++) {
    await network.rotateKey(did);
    for (let posts = 0; posts < 3; posts++) await network.post(`${rotations} ${posts}`, did);
  }
  await expect
    .poll(() => daemon.metric('slipstream_verify_plc_operations_total'), patient)
    .toBeGreaterThan(4);
  const before = await count('verified', 'continuous');
  await expect.poll(verified, patient).toBeGreaterThan(before);
  // Nobody may be asked for it.
  const unknown = async (): Promise<number> => {
    await network.post('hello', web);
    return count('unchecked', 'key_unknown');
  };
  await expect.poll(unknown, patient).toBeGreaterThan(0);
  expect(await count('refuted', 'bad_signature')).toBe(0);
});
