import { expect, test } from 'vitest';
import { firstEventAfter } from '../../lib/log/block.ts';
import {
  blockKey,
  checkPayload,
  parts,
  readBlockKey,
  readHead,
  readSubjectsOf,
  writeHead,
} from '../../lib/log/block-format.ts';
import { writeSubjects } from '../../lib/log/subject-columns.ts';
import { payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

const before = { bytes: 2 ** 40, events: 2 ** 33 };
const position = { before, segmentUs: 1_764_000_000_000_000, previousUs: 1_764_000_000_000_001 };

test('a head reads back as it was written, at any alignment', () => {
  const sample = new SampleLog(seededRandom(3));
  for (const count of [1, 2, 3, 7, 256]) {
    const block = sample.block(count);
    const { subjects, ...index } = block.index;
    const stored = subjects && writeSubjects(subjects);
    const written = writeHead(block, block.json, position, stored);
    const shifted = Buffer.concat([Buffer.from('abc'), written]).subarray(3);
    const head = readHead(shifted);
    expect(head.index).toEqual(index);
    expect(readSubjectsOf(head, stored)).toEqual(subjects && { ...subjects, keyTimeUs: undefined });
    expect(head.positions).toEqual(block.positions);
    expect(head.dictionaryId).toBe(7);
    expect(head).toMatchObject(position);
    expect(head.after).toEqual({
      bytes: before.bytes + written.length + block.json.length + block.zstd.length + (stored?.length ?? 0),
      events: before.events + count,
    });
    expect(checkPayload(head, parts.json, block.json)).toBe(block.json);
    expect(checkPayload(head, parts.zstd, block.zstd)).toBe(block.zstd);
  }
});

test('verdicts are a byte an event behind the other columns, and a head without them is as it was before', () => {
  const block = new SampleLog(seededRandom(8)).block(5);
  const plain = writeHead(block, block.json, position);
  const verdict = Uint8Array.of(0, 3, 7, 1, 255);
  const withVerdicts = writeHead({ ...block, index: { ...block.index, verdict } }, block.json, position);
  expect(withVerdicts.length).toBe(plain.length + 5);
  expect([plain.readUInt32LE(4), withVerdicts.readUInt32LE(4)]).toEqual([1, 2]);
  expect(readHead(plain).index.verdict).toBeUndefined();
  const { index } = readHead(withVerdicts);
  expect(index.verdict).toEqual(verdict);
  expect({ ...index, verdict: undefined }).toEqual({ ...readHead(plain).index, verdict: undefined });
  expect(() => readHead(withVerdicts.fill(3, 4, 5))).toThrow(
    expect.objectContaining({ code: 'LOG_CORRUPT' }),
  );
});

test('every truncation and every flipped bit of a head is seen', () => {
  const block = new SampleLog(seededRandom(4)).block(3);
  const head = writeHead(block, block.json, position);
  for (let length = 0; length < head.length; length++) {
    expect(() => readHead(head.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'LOG_CORRUPT' }),
    );
  }
  for (let bit = 0; bit < head.length * 8; bit++) {
    const damaged = Buffer.from(head);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    expect(() => readHead(damaged)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  }
});

test('a damaged or missing payload is seen', () => {
  const block = new SampleLog(seededRandom(5)).block(2);
  const head = readHead(writeHead(block, block.json, position));
  const damaged = Buffer.from(block.json);
  damaged[10] ^= 1;
  for (const payload of [damaged, undefined, block.json.subarray(1)]) {
    expect(() => checkPayload(head, parts.json, payload)).toThrow(
      expect.objectContaining({ code: 'LOG_CORRUPT' }),
    );
  }
});

test('keys sort by time, then part', () => {
  const times = [0, 1, 255, 256, 65_536, 2 ** 32 - 1, 2 ** 32, 1_764_000_000_000_000];
  const keys = times.flatMap((time) => Object.values(parts).map((part) => blockKey(time, part)));
  expect([...keys].sort(Buffer.compare)).toEqual(keys);
  expect(readBlockKey(blockKey(1_764_000_000_000_000, 2))).toEqual({
    lastTimeUs: 1_764_000_000_000_000,
    part: 2,
  });
  expect(readBlockKey(Buffer.from('aformat'))).toBeUndefined();
});

test('a built block holds each event once in JSON and once compressed, in order', () => {
  const sample = new SampleLog(seededRandom(6));
  const { index, json, zstd } = sample.block(300);
  const expected = sample.events.map((event) => JSON.stringify(event));
  expect(payloadsOf(json, 0x81).map((payload) => Buffer.from(payload).toString())).toEqual(expected);
  expect(payloadsOf(zstd, 0x82).map(unfake)).toEqual(expected);
  for (const [at, event] of sample.events.entries()) {
    expect(index.timeUs[at]).toBe(event.time_us);
    expect(firstEventAfter(index, event.time_us - 1)).toBe(at);
    expect(firstEventAfter(index, event.time_us)).toBe(at + 1);
  }
});

test('a position without events makes a block of none', () => {
  const sample = new SampleLog(seededRandom(7));
  expect(sample.builder.isEmpty).toBe(true);
  sample.builder.advance('relay.test', 5);
  expect(sample.builder.isEmpty).toBe(false);
  const block = sample.block(0);
  expect(block.index.count).toBe(0);
  expect(block.json.length).toBe(0);
  expect(readHead(writeHead(block, block.json, position)).positions).toEqual(new Map([['relay.test', 1]]));
});
