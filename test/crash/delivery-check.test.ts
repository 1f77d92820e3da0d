import { beforeAll, expect, it } from 'vitest';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { stampedRev } from '../../simulator/lib/stamped-rev.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { RelayHistory } from './relay-history.ts';

const firstSeq = 1000;
const gapFrames = 20;
const frames = 100;
let pool: FramePool;

beforeAll(async () => {
  const network = new SyntheticNetwork({ seed: 'check', accounts: 6, historyRecords: 10 });
  pool = await FramePool.generate(network, frames, { firstSeq });
});

/** A check of a daemon that has taken the frames of [`fromSeq`, `endSeq`), from a relay that says it lacks its first ones. */
function checkOf(fromSeq: number, endSeq: number): DeliveryCheck {
  const history = new RelayHistory(pool);
  history.current.addGap(firstSeq, firstSeq + gapFrames);
  history.current.endSeq = firstSeq + frames;
  const check = new DeliveryCheck(history);
  let timeUs = 0;
  for (let seq = fromSeq; seq < endSeq; seq++) {
    const { kind, did, ops } = pool.expectedAt(seq);
    for (const op of ops) {
      const commit = { rev: stampedRev(seq, 0), ...op };
      check.take(Buffer.from(JSON.stringify({ did, kind, time_us: ++timeUs, commit })));
    }
    if (kind === 'identity' || kind === 'account')
      check.take(Buffer.from(JSON.stringify({ did, kind, time_us: ++timeUs, [kind]: { seq } })));
  }
  expect(check.failure).toBeUndefined();
  return check;
}

it('has all with what the relay had, and with more of it', () => {
  expect(checkOf(firstSeq + gapFrames, firstSeq + frames).hasAll()).toBe(true);
  expect(checkOf(firstSeq, firstSeq + frames).hasAll()).toBe(true);
});

it('has not all as long as the end is missing, though events of a gap have come', () => {
  expect(checkOf(firstSeq, firstSeq + frames - gapFrames / 2).hasAll()).toBe(false);
});
