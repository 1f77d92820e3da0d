// Accounts that change their keys all the time, a slow directory, frames that come late and clocks that differ: whoever signed with a key
// of its own is never refuted, and whoever did not is.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { reasonOfNumber, verdictOf } from '../../lib/event/verdict.ts';
import { KeyResolver } from '../../lib/identity/key-resolver.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { AccountStates } from '../../lib/verifier/account-states.ts';
import { AccountStore } from '../../lib/verifier/account-store.ts';
import { Arming } from '../../lib/verifier/arming.ts';
import { HeldCheck } from '../../lib/verifier/held-check.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { startNetwork } from '../../simulator/lib/simulator.ts';
import { readSyntheticFrame } from '../../simulator/lib/synthetic-frame.ts';
import { LyingDirectory } from '../service/lying-directory.ts';

const seed = process.env.VERIFY_SEED ?? '1';
const rounds = Number(process.env.VERIFY_ROUNDS ?? 30);
const answerMs = 8;
const hourMs = 3_600_000;

test.each([
  ['the time of the network', { wallClock: true, aheadMs: 0 }],
  ['a network whose clock is months behind', { wallClock: false, aheadMs: 0 }],
  ['a daemon whose clock is an hour ahead', { wallClock: true, aheadMs: hourMs }],
  ['a daemon whose clock is three minutes behind', { wallClock: true, aheadMs: -hourMs / 20 }],
])(`by %s (VERIFY_SEED=${seed})`, async (name, { wallClock, aheadMs }) => {
  const random = new SeededRandom(seed, name);
  const nowMs = (): number => Date.now() + aheadMs;
  await using network = await startNetwork({ seed, accounts: 10, historyRecords: 1, firstSeq: 1, wallClock });
  const { url: directoryUrl } = await network.startDirectory();
  const [liar, other] = network.accounts.map(({ did }) => did).filter((did) => did.startsWith('did:plc:'));
  await using directory = await LyingDirectory.listen(directoryUrl, liar, other, answerMs);
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-honest-'));
  const store = await AccountStore.open(folder);
  const keys = new KeyResolver({ plcUrl: directory.url, webUrl: directoryUrl, nowMs, recheckMs: 30 });
  const frames: Buffer[] = [];
  const socket = new WebSocket(`${network.url}/xrpc/com.atproto.sync.subscribeRepos`);
  socket.on('message', (data: Buffer) => frames.push(data));
  await once(socket, 'open');
  const answers = new Map<number, string>();
  const sent: Buffer[] = [];
  let isWoken = false;
  const arming = new Arming();
  for (let made = 0; made < 4 * 1024; made++) arming.note('continuous');
  const check = new HeldCheck({
    ...{ keys, arming, nowMs, states: new AccountStates(store, 0) },
    signatures: await SignatureChecker.load(),
    answered: ({ ids, reasons }) => {
      for (const [at, id] of ids.entries()) answers.set(id, reasonOfNumber(reasons[at]));
    },
    incident: () => {},
    wake: () => {
      isWoken = true;
    },
  });
  const deliver = async (): Promise<void> => {
    const batch = frames.splice(0);
    let end = 0;
    const ends = Uint32Array.from(batch, ({ length }) => {
      end += length;
      return end;
    });
    const firstId = sent.push(...batch) - batch.length;
    await check.run({ number: 1, firstId, bytes: Buffer.concat(batch), ends, storedAnswers: 0 });
  };
  for (let round = 0; round < rounds; round++) {
    await network.publish(random.between(1, 6));
    for (const { did } of network.accounts)
      if (did !== liar && random.chance(0.15)) await network.rotateKey(did);
    await delay(random.between(0, 12));
    if (random.chance(0.5) && frames.length > 0) await deliver();
    if (isWoken) {
      isWoken = false;
      await check.goOn();
    }
  }
  await expect
    .poll(
      async () => {
        if (frames.length > 0) await deliver();
        if (isWoken) await check.goOn();
        return answers.size === sent.length && sent.length > 0;
      },
      { timeout: 30_000 },
    )
    .toBe(true);
  const verdicts = { honest: new Map<string, number>(), lied: new Map<string, number>() };
  for (const [id, frame] of sent.entries()) {
    const reason = answers.get(id) as string;
    const { kind, did, ops } = readSyntheticFrame(frame);
    if (kind !== 'commit' || ops.length === 0) continue;
    const counts = did === liar ? verdicts.lied : verdicts.honest;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  socket.terminate();
  keys.close();
  await store.close();
  await rm(folder, { recursive: true });
  const refuted = [...verdicts.honest].filter(([reason]) => verdictOf(reason as never) === 'refuted');
  expect(refuted, JSON.stringify([...verdicts.honest])).toEqual([]);
  expect(verdicts.lied.get('bad_signature')).toBeGreaterThan(0);
});
