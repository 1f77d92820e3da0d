// The index over the end of the log, against what is seen by looking through it.

import { expect, it } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { hashDids } from '../../lib/fanout/hash-lists.ts';
import { RecentDids } from '../../lib/fanout/recent-dids.ts';
import type { Block } from '../../lib/log/block.ts';
import { MemoryTail } from '../../lib/log/memory-tail.ts';
import { SampleLog, sampleDids, seededRandom } from '../support/events.ts';

const hasher = new DidHasher(new Uint8Array(8));
const hashesOf = (...dids: readonly string[]): Uint32Array => hashDids(new Set(dids), hasher);

/** A log in memory. */
function started(seed: number, tailBytesMax = 1e9) {
  const log = new SampleLog(seededRandom(seed), { textBytesMax: 10 });
  const tail = new MemoryTail(tailBytesMax, 0);
  const asked: number[] = [];
  const recent = {
    lastTimeUs: 0,
    recentAfter: (timeUs: number): Block | undefined => {
      asked.push(timeUs);
      return tail.after(timeUs);
    },
  };
  const add = (count: number): void => {
    const block = log.block(count);
    tail.push(block);
    recent.lastTimeUs = block.index.lastTimeUs;
  };
  const bySearch = (afterUs: number, dids: readonly string[]): number =>
    log.events.find(({ did, time_us }) => time_us > afterUs && dids.includes(did))?.time_us ?? Infinity;
  return { log, asked, add, bySearch, index: new RecentDids(recent) };
}

it('finds what a search finds, from wherever it is asked, while blocks come', () => {
  const random = seededRandom(81);
  const { log, add, bySearch, index } = started(82);
  for (let round = 0; round < 60; round++) {
    add(1 + Math.floor(random() * 40));
    const { time_us: timeUs } = log.events[Math.floor(random() * log.events.length)];
    const dids = sampleDids.filter(() => random() < 0.2);
    const afterUs = timeUs - Math.round(random());
    const found = index.firstAfter(afterUs, hashesOf(...dids));
    expect(found).toBe(dids.length === 0 ? undefined : bySearch(afterUs, dids));
    expect(index.firstAfter(afterUs, hashesOf('did:web:stranger.test'))).toBe(Infinity);
  }
});

it('does not look at the log again for who comes next', () => {
  const { log, asked, add, index } = started(83);
  for (let blocks = 0; blocks < 50; blocks++) add(8);
  const [{ time_us: timeUs }] = log.events;
  index.firstAfter(timeUs, hashesOf(sampleDids[0]));
  const before = asked.length;
  for (const did of sampleDids) index.firstAfter(timeUs, hashesOf(did));
  expect(asked.length).toBe(before);
  add(8);
  for (const did of sampleDids) index.firstAfter(timeUs, hashesOf(did));
  expect(asked.length).toBe(before + 1);
});

it('says so where it does not reach, for want of room or of blocks in memory', () => {
  const { log, asked, add, bySearch, index } = started(84);
  for (let blocks = 0; blocks < 40; blocks++) add(256);
  const [did] = sampleDids;
  const atUs = (share: number): number => log.events[Math.floor(share * log.events.length)].time_us;
  expect(index.firstAfter(atUs(0), hashesOf(did))).toBeUndefined();
  const before = asked.length;
  expect(index.firstAfter(atUs(0.1), hashesOf(did))).toBeUndefined();
  expect(asked.length).toBe(before);
  for (const share of [0.3, 0.5, 0.99]) {
    expect(index.firstAfter(atUs(share), hashesOf(did))).toBe(bySearch(atUs(share), [did]));
  }

  const short = started(85, 60_000);
  for (let blocks = 0; blocks < 40; blocks++) short.add(8);
  expect(short.index.firstAfter(short.log.events[0].time_us, hashesOf(did))).toBeUndefined();
  const { time_us: timeUs } = short.log.events.at(-20)!;
  expect(short.index.firstAfter(timeUs, hashesOf(did))).toBe(short.bySearch(timeUs, [did]));
  // More than memory has come since: what is between is not known.
  for (let blocks = 0; blocks < 200; blocks++) short.add(8);
  expect(short.index.firstAfter(timeUs, hashesOf(did))).toBeUndefined();
});

it('knows accounts that come and go without end, and not more than there is room for', () => {
  const { recent, add } = strangers();
  const index = new RecentDids(recent);
  index.firstAfter(0, Uint32Array.of(1, 2));
  for (let blocks = 0; blocks < 300; blocks++) {
    add(256);
    const last = recent.lastTimeUs;
    expect(index.firstAfter(last - 1, Uint32Array.of(last, last))).toBe(last);
    expect(index.firstAfter(last - 1, Uint32Array.of(last - 1, last - 1))).toBe(Infinity);
  }
  const last = recent.lastTimeUs;
  expect(index.firstAfter(last - 8_000, Uint32Array.of(last - 7_000, last - 7_000))).toBe(last - 7_000);
  expect(index.firstAfter(last - 9_000, Uint32Array.of(last - 7_000, last - 7_000))).toBeUndefined();
});

/** A log in which each event is of an account of its own, whose hash is the time. */
function strangers() {
  const blocks: Block[] = [];
  const recent = {
    lastTimeUs: 0,
    recentAfter: (timeUs: number) => blocks.find(({ index }) => index.lastTimeUs > timeUs),
  };
  const add = (count: number): void => {
    const timeUs = Float64Array.from({ length: count }, (_, at) => recent.lastTimeUs + 1 + at);
    const didHash = Uint32Array.from({ length: count * 2 }, (_, at) => timeUs[at >> 1]);
    recent.lastTimeUs += count;
    blocks.push({ index: { count, timeUs, didHash, lastTimeUs: recent.lastTimeUs } } as unknown as Block);
  };
  return { recent, add };
}
