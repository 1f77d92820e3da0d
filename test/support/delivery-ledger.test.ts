import { beforeAll, describe, expect, it } from 'vitest';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { stampedRev } from '../../simulator/lib/stamped-rev.ts';
import { DeliveryLedger, type V1Message } from './delivery-ledger.ts';

const firstSeq = 30_000_000_001;
let pool: FramePool;

beforeAll(async () => {
  const shares = { identity: 0.1, account: 0.05, sync: 0.05 };
  pool = await FramePool.generate(
    new SyntheticNetwork({ seed: 'ledger', accounts: 6, historyRecords: 10, shares }),
    120,
  );
});

/** The messages of a daemon that does everything right. */
function messagesOf(seq: number): V1Message[] {
  const { kind, did, ops } = pool.expectedAt(seq);
  if (kind === 'commit') {
    return ops.map(({ cid, ...op }) => {
      const commit = { rev: stampedRev(seq, 0), ...op };
      return { did, kind, commit: cid === undefined ? commit : { ...commit, cid } };
    });
  }
  return kind === 'none' ? [] : [{ did, kind, [kind]: { seq } }];
}

describe('DeliveryLedger', () => {
  it('takes each event once, in any order, over many rounds', () => {
    const ledger = new DeliveryLedger(pool, firstSeq);
    const seqs = Array.from({ length: 600 }, (_, index) => firstSeq + index);
    for (const seq of [...seqs].reverse()) {
      for (const message of messagesOf(seq)) {
        expect([ledger.take(message), ledger.take(message)]).toEqual(['new', 'duplicate']);
      }
    }
    expect(ledger.missing(firstSeq, firstSeq + 600)).toEqual({ count: 0, firstSeq: undefined });
    expect(ledger.missing(firstSeq, firstSeq + 720).count).toBe(pool.eventsPerRound);
  });

  it('names the first frame with an event that is missing', () => {
    const ledger = new DeliveryLedger(pool, firstSeq);
    let skippedSeq: number | undefined;
    for (let seq = firstSeq; seq < firstSeq + 100; seq++) {
      const messages = messagesOf(seq);
      if (skippedSeq === undefined && messages.length > 1) {
        skippedSeq = seq;
        messages.pop();
      }
      for (const message of messages) {
        ledger.take(message);
      }
    }
    expect(ledger.missing(firstSeq, firstSeq + 100)).toEqual({ count: 1, firstSeq: skippedSeq });
  });

  it('tells events that no frame leads to', () => {
    const ledger = new DeliveryLedger(pool, firstSeq);
    let seq = firstSeq;
    while (pool.expectedAt(seq).kind !== 'commit') {
      seq++;
    }
    const [message] = messagesOf(seq);
    const commit = message.commit as NonNullable<V1Message['commit']>;
    const foreign: V1Message[] = [
      { ...message, did: 'did:plc:other' },
      { ...message, commit: { ...commit, rkey: 'other' } },
      { ...message, commit: { ...commit, cid: 'other' } },
      { ...message, commit: { ...commit, operation: 'other' } },
      { ...message, commit: { ...commit, collection: 'other' } },
      { ...message, commit: { ...commit, rev: stampedRev(seq - pool.size, 0) } },
      { ...message, commit: { ...commit, rev: 'nothing' } },
      { did: message.did, kind: 'commit' },
      { did: message.did, kind: 'identity', identity: { seq } },
    ];
    expect(foreign.map((each) => ledger.take(each))).toEqual(foreign.map(() => 'foreign'));
    expect(ledger.take(message)).toBe('new');
  });
});
