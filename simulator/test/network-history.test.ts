// What a network holds in memory stops growing: frames in the history, and records in the repositories.

import { expect, test } from 'vitest';
import { SyntheticNetwork } from '../lib/network.ts';
import { NetworkHistory } from '../lib/network-history.ts';

test('frames and records that are kept stop growing', async () => {
  const [accounts, recordsMax, historyBytesMax] = [2, 15, 40_000];
  const network = new SyntheticNetwork({ seed: 'bounds', accounts, recordsMax });
  const history = new NetworkHistory(network, { historyBytesMax });
  // A commit has at most 12 writes, planned before the first of them counts.
  const recordsBound = accounts * (recordsMax + 12);
  let fullRounds = 0;
  for (let end = 50; end <= 600; end += 50) {
    await history.prepare(end);
    expect(history.bytes).toBeLessThanOrEqual(historyBytesMax);
    expect(network.recordCount).toBeLessThanOrEqual(recordsBound);
    if (end - history.firstPosition < 50 && network.recordCount > accounts * 10) fullRounds++;
  }
  expect(fullRounds).toBeGreaterThan(5);
});

test('a frame keeps no more memory alive than it has', async () => {
  const network = new SyntheticNetwork({ seed: 'memory', accounts: 2, historyRecords: 5 });
  for (let made = 0; made < 20; made++) {
    const { bytes } = await network.next();
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  }
});

test('a choice that is refused changes no frame', async () => {
  const options = { seed: 'refused', accounts: 2, historyRecords: 5 };
  const history = new NetworkHistory(new SyntheticNetwork(options));
  const plain = new NetworkHistory(new SyntheticNetwork(options));
  const act = { kind: 'commit', did: 'did:plc:nobody', writes: [] } as const;
  await expect(history.choose(act, () => {})).rejects.toThrow('is not an account');
  await Promise.all([history.prepare(5), plain.prepare(5)]);
  for (let position = 0; position < 5; position++) {
    const [one, other] = [history, plain].map((source) => {
      const bytes = Buffer.alloc(source.bytesAt(position));
      source.writeAt(position, bytes, 0);
      return bytes;
    });
    expect(one.equals(other)).toBe(true);
  }
});
