// Frames that are held: places that pass none of them, what may pass them, pauses, and the end of whoever answers.

import { beforeEach, expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import type { CoverageFinding } from '../../lib/event/coverage.ts';
import { numberOf, type Reason } from '../../lib/event/verdict.ts';
import { FrameGate } from '../../lib/ingest/frame-gate.ts';
import type { FrameChecks } from '../../lib/ingest/verification.ts';
import { parseRelays } from '../../lib/upstream/relay-url.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';

const [one, other] = parseRelays(['ws://one.example', 'ws://other.example']);

/** Answers nothing by itself. */
class TestChecks implements FrameChecks {
  isUp = true;
  outstandingBytes = 0;
  dropped = 0;
  readonly sent: { firstId: number; frames: number }[] = [];
  readonly storedAnswers: number[] = [];
  begin(): void {}
  send(firstId: number, bytes: Uint8Array, ends: Uint32Array): number {
    this.outstandingBytes += bytes.length;
    this.sent.push({ firstId, frames: ends.length });
    return this.sent.length;
  }
  stored(answers: number): void {
    this.storedAnswers.push(answers);
  }
  count(): void {}
}

let checks: TestChecks;
let gate: FrameGate;
/** Sequences of frames that went on, with a minus in front of those that were dropped. */
let gone: number[];
let places: Map<string, number>;
let covered: CoverageFinding[];
let pauses: boolean[];
let events: number;
let eventsAFrame: number;
let answer: number;

beforeEach(() => {
  checks = new TestChecks();
  gone = [];
  places = new Map();
  covered = [];
  pauses = [];
  events = 0;
  eventsAFrame = 1;
  answer = 0;
  const frame = new Frame();
  gate = new FrameGate(checks, {
    letGo(bytes, _relay, placed) {
      frame.read(bytes);
      gone.push(frame.seq);
      placed(events, events + eventsAFrame, true);
      events += eventsAFrame;
    },
    drop: () => void gone.push(Number.NaN),
    cover: (finding) => covered.push(finding),
    advance: (numbering, seq) => void places.set(numbering, seq),
    setPaused: (paused) => pauses.push(paused),
  });
});

function hold(seq: number, relay = one, bytes = 0): void {
  const frame = new Frame();
  const blocks = new Uint8Array(bytes);
  frame.read(encodeMessage('#commit', { seq, repo: 'did:plc:one', rev: 'rev', ops: [], blocks }));
  gate.hold(frame, relay, seq - 1);
  gate.advance(relay.numbering, seq);
}

function answered(ids: readonly number[], reason: Reason = 'continuous', isArmed = true): void {
  const reasons = new Uint8Array(ids.length).fill(numberOf(reason));
  gate.answered({ number: ++answer, ids: Float64Array.from(ids), reasons, isArmed });
}

test('the place at a relay is in front of the oldest frame that is held', () => {
  for (let seq = 11; seq <= 14; seq++) hold(seq);
  expect(places).toEqual(new Map([[one.numbering, 10]]));
  gate.send();
  expect(checks.sent).toEqual([{ firstId: 1, frames: 4 }]);
  answered([1]);
  expect(places.get(one.numbering)).toBe(11);
  expect(gate.isOvertaken).toBe(false);
  answered([3, 4]);
  // What is in the log behind the place comes again after a crash.
  expect([places.get(one.numbering), gate.isOvertaken]).toEqual([11, true]);
  expect(gate.overlapUntilUs(1_000)).toBe(30_001_000);
  answered([2]);
  expect([places.get(one.numbering), gate.isOvertaken]).toEqual([14, false]);
  expect(gate.overlapUntilUs(1_000)).toBeUndefined();
  expect(gone).toEqual([11, 13, 14, 12]);
});

test('another relay has no place while a frame of the one before is held: it may have sent that again', () => {
  hold(11);
  hold(12);
  hold(501, other);
  gate.advance(other.numbering, 502);
  gate.send();
  answered([1, 3]);
  expect(places).toEqual(new Map([[one.numbering, 11]]));
  answered([2]);
  expect([...places]).toEqual([
    [one.numbering, 12],
    [other.numbering, 502],
  ]);
});

test('what is refuted is dropped when it is armed, with a row, and its answer is stored with the block', async () => {
  hold(11);
  hold(12);
  gate.send();
  const incident = { reason: 'refuted_commit', fromSeq: 11, toSeq: 11, detail: 'bad_signature a b' } as const;
  gate.incident({ incident, id: 1, isArmed: true });
  answered([1], 'bad_signature');
  gate.incident({ incident: { ...incident, fromSeq: 12 }, id: 2, isArmed: false });
  answered([2], 'bad_signature', false);
  expect(covered).toMatchObject([
    { reason: 'commit_dropped', relay: one.id, fromSeq: 11 },
    { reason: 'refuted_commit', relay: one.id, fromSeq: 12 },
  ]);
  expect(gone).toEqual([Number.NaN, 12]);
  expect(places.get(one.numbering)).toBe(12);
  const sealed = gate.seal(1);
  expect([...(await sealed.column())]).toEqual([numberOf('bad_signature')]);
  sealed.stored();
  expect([checks.storedAnswers, checks.dropped]).toEqual([[2], 1]);
});

test('so many events may pass one that waits, and then it goes on', () => {
  eventsAFrame = 100;
  for (let seq = 11; seq < 11 + 83; seq++) hold(seq);
  gate.send();
  answered(Array.from({ length: 81 }, (_, at) => at + 2));
  expect(gone).not.toContain(11);
  answered([83]);
  expect(gone.at(-1)).toBe(11);
});

test('the relay waits while much is under way', () => {
  for (let seq = 11; seq < 40; seq++) hold(seq, one, 200_000);
  expect(pauses).toEqual([true]);
  checks.outstandingBytes = 1_000_000;
  gate.done(1);
  expect(pauses).toEqual([true, false]);
});

test('a frame that waits alone keeps its bytes, and when nobody answers any more all go on in their order', () => {
  for (let seq = 11; seq <= 14; seq++) hold(seq);
  gate.send();
  answered([1, 3]);
  gate.done(1);
  hold(15);
  checks.isUp = false;
  gate.ended();
  hold(16);
  expect(gone).toEqual([11, 13, 12, 14, 15, 16]);
  expect(places.get(one.numbering)).toBe(16);
});

test('the end leaves what is held to come again', () => {
  for (let seq = 11; seq <= 12; seq++) hold(seq);
  gate.send();
  gate.stop();
  answered([1, 2]);
  expect(gone).toEqual([]);
  expect(places.get(one.numbering)).toBe(10);
});
