import { expect, test } from 'vitest';
import type { Block } from '../../lib/log/block.ts';
import { cutSlice, pickWithoutCollection } from '../../lib/log/block-cut.ts';
import { payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

const texts = (messages: Uint8Array): string[] =>
  payloadsOf(messages, 0x81).map((payload) => `${Buffer.from(payload)}`);
const unpacked = (messages: Uint8Array): string[] => payloadsOf(messages, 0x82).map(unfake);

test('a run of events has their messages and columns, in either encoding', () => {
  const random = seededRandom(90);
  const sample = new SampleLog(random);
  const block = sample.block(20);
  const expected = sample.events.map((event) => JSON.stringify(event));
  for (let round = 0; round < 50; round++) {
    const from = Math.floor(random() * 20);
    const to = from + 1 + Math.floor(random() * (20 - from));
    const json = cutSlice({ index: block.index, messages: block.json }, 'json', from, to);
    const zstd = cutSlice({ index: block.index, messages: block.zstd }, 'zstd', from, to);
    expect(texts(json.messages)).toEqual(expected.slice(from, to));
    expect(unpacked(zstd.messages)).toEqual(expected.slice(from, to));
    expect(json.index).toEqual(zstd.index);
    expect([...json.index.timeUs]).toEqual(sample.events.slice(from, to).map((event) => event.time_us));
    expect(json.index.jsonEnd.at(-1)).toBe(json.messages.length);
    expect(zstd.index.zstdEnd.at(-1)).toBe(zstd.messages.length);
    expect([json.index.firstTimeUs, json.index.lastTimeUs]).toEqual([
      json.index.timeUs[0],
      json.index.timeUs.at(-1),
    ]);
  }
});

test('verdicts stay with their events', () => {
  const block = new SampleLog(seededRandom(92)).block(40);
  const verdict = Uint8Array.from(block.index.timeUs, (_, at) => at);
  const checked = { ...block, index: { ...block.index, verdict } };
  const cut = cutSlice({ index: checked.index, messages: block.json }, 'json', 7, 10);
  expect(cut.index.verdict).toEqual(Uint8Array.of(7, 8, 9));
  const { index: picked } = pickWithoutCollection(checked) as Block;
  expect(Array.from(picked.verdict ?? [])).toEqual(
    Array.from(picked.timeUs).map((timeUs) => block.index.timeUs.indexOf(timeUs)),
  );
  expect(cutSlice({ index: block.index, messages: block.json }, 'json', 7, 10).index.verdict).toBeUndefined();
});

test('the events without a collection are those that are no commits', () => {
  const sample = new SampleLog(seededRandom(91));
  const picked = pickWithoutCollection(sample.block(60));
  const expected = sample.events
    .filter((event) => event.commit === undefined)
    .map((event) => JSON.stringify(event));
  expect(expected.length).toBeGreaterThan(5);
  expect(texts(picked?.json as Uint8Array)).toEqual(expected);
  expect(unpacked(picked?.zstd as Uint8Array)).toEqual(expected);
  expect(picked?.index.count).toBe(expected.length);
  const commits = new SampleLog(() => 0);
  expect(pickWithoutCollection(commits.block(3))).toBeUndefined();
});

test('what is picked has memory of its own: it is kept for longer than what lies beside it', () => {
  const sample = new SampleLog(seededRandom(8));
  for (let round = 0; round < 20; round++) {
    const picked = pickWithoutCollection(sample.block(20));
    if (picked === undefined) continue;
    expect(picked.json.buffer.byteLength).toBe(picked.json.length);
    expect(picked.zstd.buffer.byteLength).toBe(picked.zstd.length);
  }
});
