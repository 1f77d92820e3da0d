// The quick no: never wrong for what is there, seldom a maybe for what is not.

import { expect, it } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { mayHaveDids } from '../../lib/fanout/block-dids.ts';
import { hashDids } from '../../lib/fanout/hash-lists.ts';
import { SampleLog, sampleDids, seededRandom } from '../support/events.ts';

const hasher = new DidHasher(new Uint8Array(8));
const hashesOf = (...dids: string[]): Uint32Array => hashDids(new Set(dids), hasher);
const stranger = (at: number): string => `did:web:stranger${at}.test`;

it('has no no for an account that a block is of, also among others', () => {
  const log = new SampleLog(seededRandom(71), { textBytesMax: 10 });
  for (const count of [1, 40, 300]) {
    const { index } = log.block(count);
    for (const { did } of log.events.slice(-count)) {
      expect(mayHaveDids(index, hashesOf(did))).toBe(true);
      expect(mayHaveDids(index, hashesOf(stranger(1), did))).toBe(true);
    }
    expect(mayHaveDids(index, hashesOf())).toBe(true);
  }
});

it('says no of nearly all others, where it is quicker than to look', () => {
  const { index } = new SampleLog(seededRandom(72), { textBytesMax: 10 }).block(256);
  const maybes = Array.from({ length: 2000 }, (_, at) => mayHaveDids(index, hashesOf(stranger(at))));
  expect(maybes.filter(Boolean).length).toBeLessThan(20);
  expect(mayHaveDids(index, hashesOf(...Array.from({ length: 33 }, (_, at) => stranger(at))))).toBe(true);
  const small = new SampleLog(seededRandom(73), { textBytesMax: 10 }).block(3).index;
  expect(mayHaveDids(small, hashesOf(stranger(1)))).toBe(true);
  expect(sampleDids.length).toBeGreaterThan(1);
});
