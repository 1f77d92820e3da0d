// Frames with every kind of damage: nothing throws, nothing false comes out, and the frame after is read as ever.

import { expect, test } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { bytes, hex, integer, link, map, nullItem, text, trueItem } from './raw-cbor.ts';
import { cidOf, createFrame, exampleDid, exampleTime, frameOf } from './raw-frames.ts';
import { Recorder } from './recorder.ts';

const seed = 20260704;
const flips = 6000;
const blob = map(
  ['$type', text('blob')],
  ['ref', link(cidOf(Buffer.from('image')))],
  ['mimeType', text('image/png')],
  ['size', integer(70_000)],
);
const post = map(
  ['text', text('hello <wörld> \u2028')],
  ['langs', hex('9f62656e626465ff')],
  ['embed', map(['images', Buffer.concat([hex('82'), blob, blob])])],
  ['bytes', bytes(Buffer.from('bytes'))],
  ['empty', nullItem],
  ['flag', trueItem],
  ['count', hex('3b00000000ffffffff')],
);
const frames = [
  createFrame({
    'com.example.post/1': post,
    'com.example.post/2': map(['a', blob]),
    'com.example.post/3': map(),
  }),
  frameOf('#identity', [
    ['did', text(exampleDid)],
    ['seq', integer(7)],
    ['time', text(exampleTime)],
    ['handle', text('x.test')],
  ]),
  frameOf('#account', [
    ['did', text(exampleDid)],
    ['seq', integer(8)],
    ['time', text(exampleTime)],
    ['active', trueItem],
    ['status', nullItem],
  ]),
  Buffer.concat([map(['op', integer(-1)]), map(['error', text('FutureCursor')], ['message', text('x')])]),
];
const recorder = new Recorder();
const withoutTime = (json: string) => json.replace(/"time_us":[0-9]+/, '');
const whole = frames.map((frame) => recorder.take(frame).json.map(withoutTime));

/** Takes a damaged frame; says whether it came out as it would have undamaged. */
function takeDamaged(frame: Uint8Array, what: string): void {
  try {
    recorder.take(frame);
    for (const event of recorder.json) JSON.parse(event);
  } catch (error) {
    throw new Error(`${what}: ${Buffer.from(frame).toString('hex')}`, { cause: error });
  }
  expect(recorder.frame.seq).toSatisfy((seq: number) => seq === -1 || Number.isSafeInteger(seq));
}

function expectUndisturbed(): void {
  expect(frames.map((frame) => recorder.take(frame).json.map(withoutTime))).toEqual(whole);
}

test('the frames are good before they are damaged', () => {
  expect(whole.map((events) => events.length)).toEqual([3, 1, 1, 0]);
  expect(recorder.take(frames[0]).drops).toEqual([]);
});

test('frames cut short at every byte', () => {
  for (const [index, frame] of frames.entries()) {
    for (let length = 0; length < frame.length; length++) {
      takeDamaged(frame.subarray(0, length), `frame ${index} cut at ${length}`);
      expect(recorder.json).toEqual([]);
      expect(recorder.drops).toEqual(['bad_frame']);
    }
  }
  expectUndisturbed();
});

test('blocks cut short at every byte', () => {
  const frame = frames[0];
  recorder.take(frame);
  const { blocksStart, blocksEnd } = recorder.frame;
  for (let length = 0; length < blocksEnd - blocksStart; length++) {
    const cut = Buffer.from(frame);
    cut.writeUInt16BE(length, blocksStart - 2);
    const rest = cut.subarray(blocksEnd);
    takeDamaged(Buffer.concat([cut.subarray(0, blocksStart + length), rest]), `blocks cut at ${length}`);
    expect(recorder.frame.seq).toBe(1234);
  }
  expectUndisturbed();
});

test(`${flips} damaged bits and bytes`, () => {
  const random = new SeededRandom(String(seed), 'decode');
  for (let flip = 0; flip < flips; flip++) {
    const index = random.chance(0.6) ? 0 : random.int(frames.length);
    const damaged = Buffer.from(frames[index]);
    for (let count = 1 + random.int(3); count > 0; count--) {
      const at = random.int(damaged.length);
      damaged[at] = random.chance(0.5) ? damaged[at] ^ (1 << random.int(8)) : random.int(256);
    }
    takeDamaged(damaged, `seed ${seed}, flip ${flip}`);
  }
  expectUndisturbed();
});

test('random bytes, alone and behind a good header', () => {
  const random = new SeededRandom(String(seed + 1), 'decode');
  const header = map(['op', integer(1)], ['t', text('#commit')]);
  for (let count = 0; count < 4000; count++) {
    const noise = random.bytes(random.int(60));
    takeDamaged(random.chance(0.5) ? noise : Buffer.concat([header, noise]), `seed ${seed + 1}, ${count}`);
    expect(recorder.json).toEqual([]);
  }
  expectUndisturbed();
});

test('records with damage drop their own op and no other', () => {
  const random = new SeededRandom(String(seed + 2), 'decode');
  let drops = 0;
  for (let count = 0; count < 3000; count++) {
    const damaged = Buffer.from(post);
    for (let byte = 1 + random.int(3); byte > 0; byte--)
      damaged[random.int(damaged.length)] = random.int(256);
    const cut = random.chance(0.2) ? damaged.subarray(0, random.int(damaged.length)) : damaged;
    // The hash is of the damaged record: only its contents are wrong.
    takeDamaged(
      createFrame({ 'a.b/1': map(['n', integer(1)]), 'a.b/2': cut, 'a.b/3': map(['n', integer(3)]) }),
      `seed ${seed + 2}, ${count}`,
    );
    const rkeys = recorder.json.map((event) => JSON.parse(event).commit.rkey);
    const isDropped = recorder.drops.length === 1 && recorder.drops[0] === 'bad_record';
    expect(rkeys).toEqual(isDropped ? ['1', '3'] : ['1', '2', '3']);
    if (isDropped) drops++;
  }
  expect(drops).toBeGreaterThan(300);
  expectUndisturbed();
});
