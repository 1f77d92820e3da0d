// Reads CIDs from text: the value of a `$link` key, and the `cid` of a blob from before 2023. It accepts what
// Jetstream v1's CID library does; what it writes is cid.ts's canonical form. Called by record-tape.ts.

import type { ByteWriter } from '../byte-writer.ts';
import { matchesAscii } from './cbor-cursor.ts';
import { cidEnd } from './cid.ts';
import { decodeBase58, decodeMultibase } from './multibase.ts';

const version0TextBytes = 46;
const pathMark = '/ipfs/';

/** Where `/ipfs/` next stands in the span, or -1. */
function findMark(source: Uint8Array, start: number, end: number): number {
  for (let at = start; at + pathMark.length <= end; at++) {
    if (matchesAscii(source, at, pathMark)) return at;
  }
  return -1;
}

/** Appends the binary CID that the text in the span stands for; false, with nothing appended, when it is none. */
export function readCidText(out: ByteWriter, source: Uint8Array, start: number, end: number): boolean {
  let from = start;
  let to = end;
  const mark = findMark(source, start, end);
  if (mark >= 0) {
    from = mark + pathMark.length;
    const next = findMark(source, from, end);
    if (next >= 0) to = next;
  }
  if (to - from < 2) return false;
  const before = out.length;
  const version0 = to - from === version0TextBytes && matchesAscii(source, from, 'Qm');
  const decoded = version0 ? decodeBase58(out, source, from, to) : decodeMultibase(out, source, from, to);
  if (decoded && cidEnd(out.buffer, before, out.length) === out.length && out.length > before) return true;
  out.length = before;
  return false;
}
