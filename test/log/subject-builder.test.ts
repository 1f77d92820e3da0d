import { expect, test } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { subjectInts } from '../../lib/event/subject.ts';
import { BlockBuilder } from '../../lib/log/block-builder.ts';
import { SourceLag, SubjectBuilder, subjectsOfEventMax } from '../../lib/log/subject-builder.ts';
import { fakeCompressor } from '../support/events.ts';

test('a few frames that lie about their time do not count', () => {
  const lag = new SourceLag();
  expect(lag.usualUs).toBe(0);
  for (let at = 0; at < 15; at++) lag.add(at % 3 === 0 ? 1e15 : 2_000_000 + at);
  expect(lag.usualUs).toBeGreaterThan(2_000_000);
  expect(lag.usualUs).toBeLessThan(3_000_000);
});

test('it follows when all are late, and when they are no longer', () => {
  const lag = new SourceLag();
  for (let at = 0; at < 15; at++) lag.add(100);
  for (let at = 0; at < 8; at++) lag.add(3_600_000_000);
  expect(lag.usualUs).toBe(3_600_000_000);
  for (let at = 0; at < 15; at++) lag.add(-50);
  expect(lag.usualUs).toBe(0);
});

test('a block says when its events were made: when it came, less what frames are late; one without a time says nothing new', () => {
  let nowMs = 1_700_000_000_000;
  const builder = new BlockBuilder(new Clock(0, () => nowMs), new DidHasher(new Uint8Array(8)), new Map());
  const source = Buffer.from('did:plc:a' + 'a.b.c/key');
  const created = (frameTimeUs: number | undefined): (number | undefined)[] => {
    for (let made = 0; made < 2; made++) {
      nowMs += 1000;
      builder.begin();
      builder.writer.ascii('{}');
      builder.end(eventKinds.commit, operations.create, source, 0, 9, 9, 14, source.length);
    }
    const { index } = builder.seal(fakeCompressor, frameTimeUs);
    const { createdFromUs, createdThroughUs } = index.subjects ?? {};
    return [createdFromUs, createdThroughUs].map((timeUs) => nowMs * 1000 - (timeUs as number));
  };
  expect(created(undefined)).toEqual([1_000_000, 0]);
  expect(created((nowMs + 2000) * 1000 - 7_000_000)).toEqual([8_000_000, 7_000_000]);
  expect(created(undefined)).toEqual([8_000_000, 7_000_000]);
  expect(created((nowMs + 2000) * 1000 + 5_000_000)).toEqual([8_000_000, 7_000_000]);
  expect(created((nowMs + 2000) * 1000 + 5_000_000)).toEqual([1_000_000, 0]);
});

/** The subjects that one event with these texts gets. */
function subjectsOf(builder: SubjectBuilder, texts: readonly Buffer[]): Uint32Array | undefined {
  for (const text of texts) builder.add(text, 0, text.length);
  builder.end(Buffer.from('a/b'), 0, 2, 3);
  return builder.take(0, 0)?.subjectHashes;
}

const dids = Array.from({ length: subjectsOfEventMax + 5 }, (_, at) => Buffer.from(`did:a:${at}`));

test('each subject of an event is there once, the first of them, and of each event its own', () => {
  const builder = new SubjectBuilder(new DidHasher(new Uint8Array(8)));
  const first = dids.slice(0, subjectsOfEventMax);
  const expected = subjectsOf(builder, first);
  expect(expected).toHaveLength(subjectsOfEventMax * subjectInts);
  expect(subjectsOf(builder, [...first.slice(0, 200), ...first, ...dids])).toEqual(expected);
  for (const texts of [first, first.toReversed(), first]) {
    for (const text of texts) builder.add(text, 0, text.length);
    builder.end(Buffer.from('a/b'), 0, 2, 3);
  }
  expect(builder.take(0, 0)?.ends).toEqual(
    Uint32Array.from([1, 2, 3], (event) => event * subjectsOfEventMax),
  );
});

test.each([
  ['accounts', dids],
  ['paths that are as their account', dids.map((did) => Buffer.from(`at://${did}/${did}`))],
])('a subject that is repeated takes as long beside many others as alone: %s', (_, subjects) => {
  const builder = new SubjectBuilder(new DidHasher(new Uint8Array(8)));
  const others = subjects.slice(0, subjectsOfEventMax - 1);
  const repeats = Array.from({ length: 20_000 }, () => others[others.length - 1]);
  const cpuUs = (texts: readonly Buffer[]): number => {
    const runs = Array.from({ length: 5 }, () => {
      const before = process.cpuUsage();
      subjectsOf(builder, texts);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return Math.min(...runs);
  };
  const alone = cpuUs(repeats);
  // Compared with each of the others it takes twenty times as long.
  expect(cpuUs([...others, ...repeats])).toBeLessThan(6 * alone);
});
