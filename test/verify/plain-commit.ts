// Commits that lead from one plain tree to another (plain-tree.ts), in frames as a relay sends them, written by the letter of
// the specifications: ops in any order, blocks in any order, any 64 bytes as the signature. For tests, which make millions.

import { hash } from 'node:crypto';
import { ByteWriter } from '../../lib/byte-writer.ts';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { type Block, type Records, writeHead, writeLink } from './plain-tree.ts';

/** What a frame says that happened to a record: digests of what is there, and was. */
export interface PlainOp {
  readonly path: string;
  readonly now: Uint8Array | undefined;
  readonly before: Uint8Array | undefined;
}

/** How one set of records became another, one op a path, in any order. */
export function opsBetween(before: Records, after: Records, random: SeededRandom): PlainOp[] {
  const ops: PlainOp[] = [];
  for (const [path, value] of before) {
    const now = after.get(path);
    if (now !== value) ops.push({ path, now, before: value });
  }
  for (const [path, now] of after) if (!before.has(path)) ops.push({ path, now, before: undefined });
  return shuffled(ops, random);
}

/** In a random order. @param list is changed. */
export function shuffled<T>(list: T[], random: SeededRandom): T[] {
  for (let left = list.length; left > 1; left--) {
    const at = random.int(left);
    const last = list[left - 1];
    list[left - 1] = list[at];
    list[at] = last;
  }
  return list;
}

/** What a commit is of. */
export interface PlainCommit {
  readonly did: string;
  readonly rev: string;
  readonly since: string | null;
  readonly data: Uint8Array;
  readonly prevData: Uint8Array | undefined;
}

const objectOut = new ByteWriter();
const carOut = new ByteWriter();
const cidHead = Buffer.from('01711220', 'hex');
const signature = Buffer.alloc(64, 7);

/** The frame, until the next call. @param blocks beside that of the commit, which comes at a random place. */
export function unsignedFrame(
  commit: PlainCommit,
  ops: readonly PlainOp[],
  blocks: readonly Block[],
  random: SeededRandom,
): Uint8Array {
  const object = objectOf(commit);
  const digest = hash('sha256', object, 'buffer');
  const car = carOut;
  car.length = 0;
  writeVarint(car, 1 + 6 + 1 + 41 + 8 + 1);
  car.ascii('\xa2\x65roots\x81');
  writeLink(car, digest);
  car.ascii('\x67version\x01');
  const place = random.int(blocks.length + 1);
  for (let at = 0; at <= blocks.length; at++) {
    if (at === place) writeSection(car, { block: object, digest });
    if (at < blocks.length) writeSection(car, blocks[at]);
  }
  return frameOf(commit, ops, digest, car);
}

function objectOf({ did, rev, data }: PlainCommit): Uint8Array {
  const out = objectOut;
  out.length = 0;
  out.ascii('\xa6\x63did');
  writeText(out, did);
  out.ascii('\x63rev');
  writeText(out, rev);
  out.ascii('\x63sig');
  writeHead(out, 2, signature.length);
  out.bytes(signature);
  out.ascii('\x64data');
  writeLink(out, data);
  out.ascii('\x64prev\xf6\x67version\x03');
  return out.buffer.subarray(0, out.length);
}

const frameOut = new ByteWriter();

/** Fields in the order of DAG-CBOR: the shorter name first. */
function frameOf(
  { did, rev, since, prevData }: PlainCommit,
  ops: readonly PlainOp[],
  commit: Uint8Array,
  car: ByteWriter,
): Uint8Array {
  const out = frameOut;
  out.length = 0;
  out.ascii('\xa2\x61t\x67#commit\x62op\x01');
  writeHead(out, 5, prevData === undefined ? 11 : 12);
  out.ascii('\x63ops');
  writeHead(out, 4, ops.length);
  for (const op of ops) writeOp(out, op);
  out.ascii('\x63rev');
  writeText(out, rev);
  out.ascii('\x63seq\x01\x64repo');
  writeText(out, did);
  out.ascii('\x64time');
  writeText(out, '2026-01-01T00:00:00.000Z');
  out.ascii('\x65blobs\x80\x65since');
  if (since === null) out.byte(0xf6);
  else writeText(out, since);
  out.ascii('\x66blocks');
  writeHead(out, 2, car.length);
  out.bytes(car.buffer, 0, car.length);
  out.ascii('\x66commit');
  writeLink(out, commit);
  out.ascii('\x66rebase\xf4\x66tooBig\xf4');
  if (prevData !== undefined) {
    out.ascii('\x68prevData');
    writeLink(out, prevData);
  }
  return out.buffer.subarray(0, out.length);
}

function writeOp(out: ByteWriter, { path, now, before }: PlainOp): void {
  out.byte(before === undefined ? 0xa3 : 0xa4);
  out.ascii('\x63cid');
  if (now === undefined) out.byte(0xf6);
  else writeLink(out, now);
  out.ascii('\x64path');
  writeText(out, path);
  if (before !== undefined) {
    out.ascii('\x64prev');
    writeLink(out, before);
  }
  out.ascii('\x66action');
  writeText(out, before === undefined ? 'create' : now === undefined ? 'delete' : 'update');
}

/** ASCII. */
function writeText(out: ByteWriter, text: string): void {
  writeHead(out, 3, text.length);
  out.ascii(text);
}

function writeSection(out: ByteWriter, { block, digest }: Block): void {
  writeVarint(out, cidHead.length + digest.length + block.length);
  out.bytes(cidHead);
  out.bytes(digest);
  out.bytes(block);
}

function writeVarint(out: ByteWriter, value: number): void {
  let left = value;
  for (; left >= 128; left >>>= 7) out.byte((left & 127) | 128);
  out.byte(left);
}
