// Firehose frames by hand: archives, commit objects and envelopes of which every part can be replaced. Signatures and
// trees are left out: nobody who reads these frames looks at them.

import { createHash } from 'node:crypto';
import { array, bytes, falseItem, head, integer, link, map, nullItem, text } from './raw-cbor.ts';

export const exampleDid = 'did:plc:synthetic2345synthetic23';
export const exampleTime = '2026-01-02T03:04:05.678Z';
export const exampleRev = '3synthetic234';

/** One block of an archive: its CID and its contents. */
export type Block = readonly [cid: Buffer, contents: Buffer];
type Entry = readonly [string, Uint8Array];

/** The CID (version 1, DAG-CBOR unless another codec is given, SHA-256) of a block. */
export function cidOf(contents: Uint8Array, codec = 0x71): Buffer {
  return Buffer.concat([Buffer.from([1, codec, 0x12, 0x20]), createHash('sha256').update(contents).digest()]);
}

export function blockOf(contents: Buffer): Block {
  return [cidOf(contents), contents];
}

export function varint(value: number): Buffer {
  const digits: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) digits.push((rest & 127) | 128);
  return Buffer.from([...digits, rest]);
}

/** A part of an archive, with its length in front. */
export function section(...parts: readonly Uint8Array[]): Buffer {
  const whole = Buffer.concat(parts);
  return Buffer.concat([varint(whole.length), whole]);
}

/** A CAR version 1 archive. */
export function archive(roots: readonly Buffer[], blocks: readonly Block[]): Buffer {
  const header = map(['roots', array(...roots.map(link))], ['version', integer(1)]);
  return Buffer.concat([section(header), ...blocks.map(([cid, contents]) => section(cid, contents))]);
}

/** A commit object whose tree is nowhere. */
export function commitObject(version = 3): Buffer {
  return map(
    ['did', text(exampleDid)],
    ['rev', text(exampleRev)],
    ['sig', bytes(Buffer.alloc(64, 7))],
    ['data', link(cidOf(Buffer.from('tree')))],
    ['prev', nullItem],
    ['version', integer(version)],
  );
}

/** An archive with a commit object as its root. */
export function archiveOf(blocks: readonly Block[], version = 3): Buffer {
  const commit = blockOf(commitObject(version));
  return archive([commit[0]], [commit, ...blocks]);
}

/** A frame: a header for a message of that type, and a body. */
export function frameOf(type: string, body: readonly Entry[]): Buffer {
  return Buffer.concat([map(['op', integer(1)], ['t', text(type)]), map(...body)]);
}

export function opOf(action: string, path: string, cid: Buffer | null): Buffer {
  return map(['cid', cid === null ? nullItem : link(cid)], ['path', text(path)], ['action', text(action)]);
}

/** The fields of a commit's body, in the order in which DAG-CBOR has them. */
export function commitBody(
  ops: readonly Buffer[],
  blocks: Buffer,
  changes: Record<string, Buffer> = {},
): Entry[] {
  const fields: Record<string, Buffer> = {
    ops: array(...ops),
    rev: text(exampleRev),
    seq: integer(1234),
    repo: text(exampleDid),
    time: text(exampleTime),
    blobs: array(),
    since: nullItem,
    blocks: bytes(blocks),
    commit: link(cidOf(commitObject())),
    rebase: falseItem,
    tooBig: falseItem,
    ...changes,
  };
  return Object.entries(fields);
}

/** A commit frame that creates records, given as path and CBOR. */
export function createFrame(
  records: Readonly<Record<string, Buffer>>,
  changes: Record<string, Buffer> = {},
): Buffer {
  const blocks = Object.values(records).map(blockOf);
  const ops = Object.keys(records).map((path, index) => opOf('create', path, blocks[index][0]));
  return frameOf('#commit', commitBody(ops, archiveOf(blocks), changes));
}

/** Text of `count` bytes. */
export function longText(count: number): Buffer {
  return Buffer.concat([head(3, count), Buffer.alloc(count, 0x61)]);
}
