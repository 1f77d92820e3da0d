// Inputs that are WebSocket: handshakes in the spellings that there are, and behind them frames of all kinds, with what the model
// of frames says has to come of them.

import type { SeededRandom } from '../../lib/seeded-random.ts';
import { readClientMessage } from '../../lib/wire/options-update.ts';
import { type End, type FrameLimits, readFrames } from './frame-model.ts';
import { encoded, goodQuery, headerLines, isSubscription, query } from './http-inputs.ts';
import { type Draft, type Due, lastPing } from './input.ts';
import { plainPairs } from './plain-readers.ts';
import { anyText, clientMessage, oddTexts } from './vocabulary.ts';

/** Of lib/http/handshake.ts and lib/wire/wanted-filter.ts. */
export const frameLimits: FrameLimits = { messageBytesMax: 10_000_000, piecesMax: 4096 };

const rightLines = [
  'Host: test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const spellings: readonly (readonly string[])[] = [
  [
    'Connection: keep-alive, Upgrade',
    'connection:upgrade',
    'Connection: upgrade ,',
    'Connection: close, Upgrade',
  ],
  ['upgrade: WebSocket', 'Upgrade: h2c, websocket', 'UPGRADE:websocket'],
  ['Sec-WebSocket-Version: 8, 13', 'sec-websocket-version: 13 '],
  ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-key:+/+/+/+/+/+/+/+/+/+/+w=='],
];
const wrongSpellings: readonly (readonly string[])[] = [
  ['Connection: Upgrad', 'Connection: close', 'X-Connection: Upgrade', 'Connection:'],
  ['Upgrade: websocket/13', 'Upgrade: h2c', 'Upgrade: web socket'],
  ['Sec-WebSocket-Version: 12', 'Sec-WebSocket-Version: 013', 'Sec-WebSocket-Version:'],
  [
    'Sec-WebSocket-Key: AAAA',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA',
    'Sec-WebSocket-Key:',
    'Sec-WebSocket-Key: \xff\xff',
  ],
];
const furtherLines = [
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  'Sec-WebSocket-Extensions: ;;,=,"',
  'Sec-WebSocket-Protocol: chat, superchat',
  'Sec-WebSocket-Protocol: \x80,,',
  'Origin: http://elsewhere.test',
  'Socket-Encoding: zstd',
  'Socket-Encoding: gzip',
  'Sec-WebSocket-Accept: a',
];

/** A handshake that is answered with 101. @param rawQuery nothing is wrong with it. */
function rightHandshake(random: SeededRandom, rawQuery: string): Buffer {
  const lines = rightLines.map((line, at) =>
    at > 0 && random.chance(0.2) ? random.pick(spellings[at - 1]) : line,
  );
  if (random.chance(0.3)) lines.push(random.pick(furtherLines));
  if (random.chance(0.2))
    lines.push(...headerLines(random).filter((line) => !/^socket-encoding/i.test(line)));
  if (random.chance(0.2)) lines.sort();
  return Buffer.from(`GET /subscribe?${rawQuery} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Handshakes, right and wrong, with any query. */
export function handshakeInput(random: SeededRandom): Draft {
  const rawQuery = random.chance(0.4) ? goodQuery(random) : query(random);
  const isRight = random.chance(0.6);
  const hasDictionary = plainPairs(rawQuery).some(([name]) => name === 'zstdDictionary');
  if (isRight) {
    const statuses = isSubscription(rawQuery) ? [101, 429] : [400];
    return {
      bytes: rightHandshake(random, rawQuery),
      due: { methods: ['GET'], answersMax: 1, ...(hasDictionary ? {} : { lastStatuses: statuses }) },
    };
  }
  const lines = [...rightLines];
  const wrong = random.int(wrongSpellings.length);
  lines[wrong + 1] = random.pick(wrongSpellings[wrong]);
  const method = random.pick(['GET', 'GET', 'HEAD', 'POST', 'PUT']);
  const path = random.pick(['/subscribe', '/subscribe', '/events', '/', '/coverage', '/none']);
  const target = `${path}?${path === '/subscribe' ? rawQuery : `cursor=${encoded(random, random.pick(oddTexts))}`}`;
  const text = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  return { bytes: Buffer.from(text, 'latin1'), due: {} };
}

/** One frame's parts; what is left out is as it should be. */
interface Frame {
  readonly fin?: boolean;
  readonly opcode: number;
  readonly payload?: Uint8Array;
  /** Reserved bits, as they stand in the first byte. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the header says. */
  readonly length?: number;
}

/** Bytes of a frame; its length in the shortest form, or in a longer one. */
function frame(
  random: SeededRandom,
  {
    fin = true,
    opcode,
    payload = Buffer.alloc(0),
    reserved = 0,
    masked = true,
    length = payload.length,
  }: Frame,
): Buffer {
  const longer = opcode < 8 && random.chance(0.1) ? random.pick([126, 127]) : 0;
  const form = Math.max(longer, length < 126 ? length : length < 65_536 ? 126 : 127);
  const header = Buffer.alloc(2 + (form === 126 ? 2 : form === 127 ? 8 : 0));
  header[0] = (fin ? 0x80 : 0) | reserved | opcode;
  header[1] = (masked ? 0x80 : 0) | form;
  if (form === 126) header.writeUInt16BE(length, 2);
  if (form === 127) header.writeBigUInt64BE(BigInt(length), 2);
  const mask = random.chance(0.3) ? Buffer.alloc(4) : Buffer.from(random.bytes(4));
  const masking = Buffer.from(payload).map((byte, at) => byte ^ mask[at % 4]);
  return masked ? Buffer.concat([header, mask, masking]) : Buffer.concat([header, payload]);
}

const badTexts = ['c3', 'c328', 'a0', 'e28228', 'f0288cbc', 'eda080', 'f4908080', 'c0af', 'fe', '61ff62'].map(
  (hex) => Buffer.from(hex, 'hex'),
);
const closeCodes = [
  0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65_535,
];

/** A message in one frame or several, with pings between. */
function message(random: SeededRandom, opcode: number, data: Buffer): Buffer {
  const pieces = random.chance(0.7) ? 1 : random.between(2, 6);
  const frames: Buffer[] = [];
  for (let piece = 0, at = 0; piece < pieces; piece++) {
    const end = piece === pieces - 1 ? data.length : at + random.int(data.length - at + 1);
    frames.push(
      frame(random, {
        fin: piece === pieces - 1,
        opcode: piece === 0 ? opcode : 0,
        payload: data.subarray(at, end),
      }),
    );
    if (piece < pieces - 1 && random.chance(0.3))
      frames.push(frame(random, { opcode: random.pick([9, 10]), payload: random.bytes(random.int(126)) }));
    at = end;
  }
  return Buffer.concat(frames);
}

/** Something that a client sends; most of it is right. */
function act(random: SeededRandom): Buffer {
  const wrong = (): Frame => ({ opcode: random.pick([1, 2, 9]), payload: random.bytes(random.int(20)) });
  return random.pick([
    (): Buffer =>
      message(random, 1, Buffer.from(random.chance(0.5) ? '{"type":"x"}' : clientMessage(random))),
    (): Buffer => message(random, 2, Buffer.from(random.bytes(random.int(300)))),
    (): Buffer => frame(random, { opcode: random.pick([9, 10]), payload: random.bytes(random.int(126)) }),
    (): Buffer => message(random, random.pick([1, 2]), Buffer.alloc(0)),
    (): Buffer =>
      Buffer.concat(
        Array.from({ length: random.int(40) }, () =>
          frame(random, { opcode: 9, payload: random.bytes(random.int(4)) }),
        ),
      ),
    (): Buffer => {
      if (random.chance(0.6)) return Buffer.alloc(0);
      return random.pick([
        (): Buffer => message(random, 1, random.pick(badTexts)),
        (): Buffer =>
          message(random, 1, Buffer.concat([Buffer.from(anyText(random)), random.pick(badTexts)])),
        (): Buffer => frame(random, { ...wrong(), reserved: random.pick([0x10, 0x20, 0x40, 0x70]) }),
        (): Buffer => frame(random, { ...wrong(), masked: false }),
        (): Buffer => frame(random, { ...wrong(), opcode: random.int(16) }),
        (): Buffer => frame(random, { ...wrong(), fin: false }),
        (): Buffer =>
          frame(random, { opcode: random.pick([8, 9, 10]), payload: random.bytes(random.between(126, 300)) }),
        (): Buffer => frame(random, { opcode: 1, length: random.pick([10_000_001, 2 ** 32, 2 ** 53]) }),
        (): Buffer =>
          Buffer.concat([
            frame(random, { opcode: 1, fin: false, payload: Buffer.alloc(10) }),
            frame(random, { opcode: 0, length: 9_999_995 }),
          ]),
        (): Buffer =>
          Buffer.concat([
            frame(random, { opcode: 1, fin: false }),
            ...Array<Buffer>(4200).fill(frame(random, { opcode: 0, fin: false, payload: Buffer.alloc(1) })),
          ]),
        (): Buffer => closing(random),
        (): Buffer => Buffer.from(random.bytes(random.int(40))),
      ])();
    },
  ])();
}

function closing(random: SeededRandom): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(random.chance(0.7) ? random.pick(closeCodes) : random.int(65_536));
  const reason = random.chance(0.2) ? random.pick(badTexts) : Buffer.from(anyText(random)).subarray(0, 100);
  const payload = random.pick([Buffer.concat([code, reason]), code, code.subarray(0, 1), Buffer.alloc(0)]);
  return frame(random, { opcode: 8, payload });
}

/** A sequence of frames, without a handshake, with a ping at its end. */
export function frames(random: SeededRandom): Buffer {
  const acts = Array.from({ length: random.int(8) }, () => act(random));
  return Buffer.concat([...acts, frame(random, { opcode: 9, payload: Buffer.from(lastPing) })]);
}

const closeApplicationError = 1000;

/** What one message ends a session with. */
export function endOfMessage(data: Buffer, isBinary: boolean): End | undefined {
  if (isBinary || readClientMessage(data.toString(), 0).kind !== 'failure') return undefined;
  return { by: 'server', code: closeApplicationError };
}

/** What has to come of frames: a close with a code, or a pong. Nothing is known of a frame that does not end. */
function dueOf(bytes: Buffer): Due {
  const { pings, end } = readFrames(bytes, frameLimits, endOfMessage);
  const methods = ['GET'];
  // A close without a code is answered by one.
  if (end !== undefined) return { methods, lastStatuses: [101, 429], outcome: end.code ?? 1005 };
  const isWhole = pings.at(-1)?.toString() === lastPing;
  return isWhole ? { methods, lastStatuses: [101, 429], outcome: 'pong' } : {};
}

function sessionQuery(random: SeededRandom): string {
  return random.pick([
    'requireHello=true',
    'wantedCollections=none.such.name&wantedKinds=commit',
    'wantedKinds=identity&progress=true',
    'cursor=0&maxMessageSizeBytes=1',
    '',
    'compress=true',
  ]);
}

/** A session, and frames of all kinds. */
export function framesInput(random: SeededRandom): Draft {
  const bytes = frames(random);
  return { bytes: Buffer.concat([rightHandshake(random, sessionQuery(random)), bytes]), due: dueOf(bytes) };
}

/** A session, and messages that are meant to be updates. */
export function updatesInput(random: SeededRandom): Draft {
  const messages = Array.from({ length: random.between(1, 6) }, () =>
    message(random, 1, Buffer.from(clientMessage(random))),
  );
  const bytes = Buffer.concat([...messages, frame(random, { opcode: 9, payload: Buffer.from(lastPing) })]);
  return { bytes: Buffer.concat([rightHandshake(random, sessionQuery(random)), bytes]), due: dueOf(bytes) };
}
