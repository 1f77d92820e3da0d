import { decode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { BlockCheck } from '../../../cmd/inspect/block-check.ts';
import { ProblemList } from '../../../cmd/inspect/problem.ts';
import { Frame } from '../../../lib/decode/frame.ts';
import { Clock } from '../../../lib/event/clock.ts';
import { DidHasher } from '../../../lib/event/did-hash.ts';
import { EventWriter } from '../../../lib/event/event-writer.ts';
import { BlockBuilder } from '../../../lib/log/block-builder.ts';
import { storedSubjectsOf, writeHead } from '../../../lib/log/block-format.ts';
import { subjectHashesOf, withSubjectHashes } from '../../../lib/log/subject-columns.ts';
import { readFrames } from '../../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../../simulator/lib/network.ts';
import { array, head, hex, integer, link, map, text } from '../../decode/raw-cbor.ts';
import { archiveOf, cidOf, commitBody, createFrame, frameOf, opOf } from '../../decode/raw-frames.ts';
import { fakeCompressor, seededRandom } from '../../support/events.ts';
import { corpusFramesPath, hasShared, sharedNote } from '../../support/shared.ts';

const hasher = new DidHasher(Buffer.from('8 bytes.'));
const path = 'com.example.record/rkey';

type Subjects = (event: number, subjectHashes: Uint32Array) => Uint32Array;

/** What is found in the block of these frames, in which events point at something else than they did. */
function problemsOf(frames: readonly Uint8Array[], change: Subjects = (_, subjectHashes) => subjectHashes) {
  const builder = new BlockBuilder(new Clock(0), hasher, new Map());
  const writer = new EventWriter(builder, () => {});
  const frame = new Frame();
  for (const bytes of frames) {
    frame.read(bytes);
    writer.write(frame);
  }
  const made = builder.seal(fakeCompressor);
  const { count, subjects, lastTimeUs } = made.index;
  const others = Array.from({ length: count }, (_, event) =>
    change(event, subjectHashesOf(subjects!, event)),
  );
  const bare = { ...subjects!, ends: new Uint32Array(count), subjectHashes: new Uint32Array(0) };
  const changed = withSubjectHashes(bare, new Map(others.entries()));
  const block = { ...made, index: { ...made.index, subjects: changed } };
  const stored = storedSubjectsOf(block);
  const position = { previousUs: 0, before: { events: 0, bytes: 0 }, segmentUs: 0 };
  const problems = new ProblemList();
  new BlockCheck(problems, hasher, () => undefined).check({
    database: 'journal',
    lastTimeUs,
    head: writeHead(block, block.json, position, stored),
    json: block.json,
    zstd: block.zstd,
    subjects: stored,
    segment: undefined,
    withoutCollection: undefined,
    subjectFilter: undefined,
  });
  return { count, subjectHashes: others.map(({ length }) => length / 3), problems: problems.listed };
}

test.skipIf(!hasShared)(`real frames are in order${sharedNote}`, async () => {
  const { problems, subjectHashes } = problemsOf(await readFrames(corpusFramesPath));
  expect(problems).toEqual([]);
  expect(subjectHashes.filter((count) => count > 0).length).toBeGreaterThan(20);
});

test('frames of a network are in order', async () => {
  const network = new SyntheticNetwork({ seed: 'subjects', accounts: 12 });
  const frames: Uint8Array[] = [];
  while (frames.length < 60) frames.push((await network.next()).bytes);
  const { problems, subjectHashes } = problemsOf(frames);
  expect(problems).toEqual([]);
  expect(subjectHashes.filter((count) => count > 0).length).toBeGreaterThan(20);
});

test('records that nobody would write are in order, as far as they are events', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const cid = cidOf(Buffer.from('blob'));
  const cidText = text(String(decode(link(cid))));
  const uri = text('at://did:plc:a/com.example.record/1');
  const blob = map(['$type', text('blob')], ['ref', link(cid)], ['mimeType', uri], ['size', integer(5)]);
  const record = map(
    ['$type', text('com.example.record')],
    ['a', map(['$link', cidText])],
    ['b', map(['$bytes', text('AAAA')])],
    ['c', blob],
    ['d', map(['cid', cidText], ['mimeType', text('did:plc:a')])],
    ['e', array(uri, text('did:plc:a'), Buffer.concat([hex('7f'), text('did:p'), text('lc:b'), hex('ff')]))],
    ['f', map(['uri', uri], ['cid', cidText])],
  );
  const frames = Array.from({ length: 3000 }, () => {
    const changed = Buffer.from(record);
    const at = Math.floor(random() * changed.length);
    changed[at] = random() < 0.5 ? changed[at] ^ (1 << Math.floor(random() * 8)) : random() * 256;
    return createFrame({ [path]: changed });
  });
  const { count, problems } = problemsOf(frames);
  expect(problems, `seed ${seed}`).toEqual([]);
  expect(count).toBeGreaterThan(500);
});

test('a record is looked through whatever its depth, and only what is a subject counts', () => {
  const uri = 'at://did:plc:a/com.example.record/1';
  const texts = ['did:plc:a', 'did:x', 'did:plc:no subject', `${uri}?query`, uri, 'at://handle.test/a.b/c'];
  const nested = map(['a', array(...texts.map(text), map(['did:plc:key', text(`${uri}/more`)]))]);
  const depth = 20_000;
  const deep = Buffer.concat([map(['d', Buffer.alloc(depth, head(4, 1))]), text('did:plc:deep')]);
  const frames = [createFrame({ [path]: nested }), createFrame({ [path]: deep })];
  expect(problemsOf(frames)).toEqual({ count: 2, subjectHashes: [3, 1], problems: [] });
  const dropped = problemsOf(frames, (event, subjectHashes) =>
    event === 1 ? new Uint32Array(0) : subjectHashes,
  );
  expect(dropped.problems).toMatchObject([{ code: 'event_subjects' }]);
});

test('of a record with very many subjects, no matter which are kept', () => {
  const dids = Array.from({ length: 300 }, (_, at) => text(`did:plc:${at}`));
  const frame = createFrame({ [path]: map(['z', array(...dids.slice(0, 200))], ['a', array(...dids)]) });
  expect(problemsOf([frame])).toEqual({ count: 1, subjectHashes: [255], problems: [] });
  const changes: Subjects[] = [
    (_, subjectHashes) => subjectHashes.subarray(3),
    (_, subjectHashes) => subjectHashes.with(0, subjectHashes[0] ^ 1),
    (_, subjectHashes) => subjectHashes.map((int, at) => (at < 3 ? subjectHashes[at + 3] : int)),
  ];
  for (const change of changes)
    expect(problemsOf([frame], change).problems).toMatchObject([{ code: 'event_subjects' }]);
});

test('what the text does not say is not held against the columns', () => {
  const odd = Buffer.concat([Buffer.from('at://did:plc:a/com.example.record/'), Buffer.from([0xff])]);
  const paths = ['com.example.record/', '/rkey', 'com.example.record/a/b', '/', 'com.example.record/\ud800'];
  const deletions = paths.map((gone) => opOf('delete', gone, null));
  const frames = [
    createFrame({ [path]: map(['a', text(odd)]) }),
    frameOf('#commit', commitBody(deletions, archiveOf([]))),
  ];
  expect(problemsOf(frames)).toEqual({ count: 6, subjectHashes: [1, 0, 0, 0, 0, 0], problems: [] });
});
