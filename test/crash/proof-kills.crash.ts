// kill -9 while commits are kept for proofs: after each, every event has the proof of itself, or a name for why it has none.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommitData, verifyProofs } from '@atproto/repo';
import { afterEach, expect, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { decodeFrame } from '../../simulator/lib/frame-encoder.ts';
import { FrameRecording } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from './daemon.ts';

const seed = process.env.CRASH_SEED ?? '1';
const kills = 6;
const framesPerSecond = 400;
const frameCount = 1200;

let daemon: Daemon | undefined;
let relay: RelayServer | undefined;
let dataDir = '';
afterEach(async () => {
  await daemon?.kill();
  await relay?.close();
  await rm(dataDir, { recursive: true, force: true });
});

it(`proves each event, or says why not, over ${kills} kills`, async () => {
  const random = new SeededRandom(seed, 'proof-kills');
  const network = new SyntheticNetwork({ seed, accounts: 24, historyRecords: 60 });
  const cids = new Map<string, CommitData['cid']>();
  const frames: Buffer[] = [];
  for (let index = 0; index < frameCount; index++) {
    const { bytes } = await network.next();
    frames.push(Buffer.from(bytes));
    const { ops = [] } = decodeFrame(bytes).body as { ops?: { cid: CommitData['cid'] | null }[] };
    for (const { cid } of ops) if (cid !== null) cids.set(cid.toString(), cid);
  }
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-proof-kills-'));
  relay = await RelayServer.listen({ source: new FrameRecording(frames, false) });
  const begin = () =>
    new Daemon({ dataDir, relayUrl: relay?.url ?? '', flags: ['--proofs', '1h', '--workers', '0'] });
  daemon = begin();
  await daemon.started;
  relay.setRate(framesPerSecond);
  for (let kill = 0; kill < kills; kill++) {
    await delay(random.between(50, 900));
    await daemon.kill();
    daemon = begin();
    await daemon.started;
  }
  await delay(1000);
  const url = (await daemon.started)?.replace('ws:', 'http:');
  const lines = (await (await fetch(`${url}/events.ndjson?cursor=0&limit=1000000`)).text())
    .trim()
    .split('\n');
  const outcomes = new Map<string, number>();
  for (const line of lines) {
    const { did, time_us: timeUs, commit } = JSON.parse(line);
    if (commit === undefined) continue;
    const response = await fetch(`${url}/proof?time_us=${timeUs}`);
    let outcome = 'proven';
    if (response.status === 200) {
      const { collection, rkey, cid } = commit;
      const claim = {
        collection,
        rkey,
        cid: cid === undefined ? null : (cids.get(cid) as CommitData['cid']),
      };
      const car = new Uint8Array(await response.arrayBuffer());
      const { verified } = await verifyProofs(car, [claim], did, network.signingKeyOf(did) as string);
      expect(verified, line).toHaveLength(1);
    } else outcome = ((await response.json()) as { reason: string }).reason;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  console.log('proofs over kills:', Object.fromEntries(outcomes));
  expect([...outcomes.keys()].filter((name) => name !== 'proven' && name !== 'not_kept')).toEqual([]);
  // How many are lost depends on how much came at once when a life ended.
  expect(outcomes.get('proven')).toBeGreaterThan(frameCount / 10);
});
