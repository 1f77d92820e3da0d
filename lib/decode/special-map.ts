// Finds out what a map of a record stands for when it has ended: a link, bytes or a blob, which atproto writes as maps
// and the wire in a form of its own (wire-v1 section 10). Called by record-tape.ts; works on its nodes.

import { ByteWriter } from '../byte-writer.ts';
import { isBytesText } from './base64.ts';
import { matchesAscii } from './cbor-cursor.ts';
import { cidEnd, writeCidText } from './cid.ts';
import { readCidText } from './cid-text.ts';
import {
  keyIsEscaped,
  kindMask,
  mapFlags,
  nodeFields,
  nodeInts,
  nodeKinds,
  noNode,
  type TapeView,
} from './tape-nodes.ts';

const { kind, keyStart, keyEnd, first, second, next, special } = nodeFields;
const { hasType, hasLink, hasBytes } = mapFlags;

/** What a map turned out to be. A bad one makes the record bad. */
export const mapEnds = { ordinary: 0, special: 1, bad: 2 } as const;
type MapEnd = (typeof mapEnds)[keyof typeof mapEnds];

/** Notes a key of five or six characters that begins with `$`, when it says what the map may be. */
export function noteDollarKey({ nodes, source }: TapeView, map: number, node: number): void {
  const start = nodes[node + keyStart];
  const length = nodes[node + keyEnd] - start;
  let flag = 0;
  if (length === 6) flag = matchesAscii(source, start, '$bytes') ? hasBytes : 0;
  else if (matchesAscii(source, start, '$type')) flag = hasType;
  else if (matchesAscii(source, start, '$link')) flag = hasLink;
  if (flag === 0) return;
  nodes[map + kind] |= flag;
  nodes[map + special] = node;
}

function childOf({ nodes, source }: TapeView, map: number, key: string): number {
  for (let node = map + nodeInts; node !== noNode; node = nodes[node + next]) {
    const start = nodes[node + keyStart];
    if (nodes[node + keyEnd] - start === key.length && matchesAscii(source, start, key)) return node;
  }
  return noNode;
}

function kindOf({ nodes }: TapeView, node: number): number {
  return node === noNode ? noNode : nodes[node + kind] & kindMask;
}

function become({ nodes }: TapeView, node: number, is: number, start: number, end: number): MapEnd {
  nodes[node + kind] = (nodes[node + kind] & keyIsEscaped) | is;
  nodes[node + first] = start;
  nodes[node + second] = end;
  return mapEnds.special;
}

/** Makes `node` the link whose CID is the text of the node `text`. */
function becomeLink(tape: TapeView, node: number, text: number): MapEnd {
  const { nodes, source, cids } = tape;
  const before = cids.length;
  if (!readCidText(cids, source, nodes[text + first], nodes[text + second])) return mapEnds.bad;
  return become(tape, node, nodeKinds.linkText, before, cids.length);
}

/** A map of one key, `$link` or `$bytes`, with text. */
function endText(tape: TapeView, map: number, count: number): MapEnd {
  const { nodes, source } = tape;
  const text = nodes[map + special];
  if (count !== 1 || kindOf(tape, text) !== nodeKinds.text) return mapEnds.bad;
  const isLink = (nodes[map + kind] & hasLink) !== 0;
  tape.fault ??= isLink ? 'link' : 'bytes';
  if (isLink) return becomeLink(tape, map, text);
  const start = nodes[text + first];
  const end = nodes[text + second];
  return isBytesText(source, start, end) ? become(tape, map, nodeKinds.bytesText, start, end) : mapEnds.bad;
}

function endBlob(tape: TapeView, map: number, count: number): MapEnd {
  const { nodes } = tape;
  const ref = childOf(tape, map, 'ref');
  const mimeType = childOf(tape, map, 'mimeType');
  const size = childOf(tape, map, 'size');
  const refKind = kindOf(tape, ref);
  if (count !== 4 || (refKind !== nodeKinds.link && refKind !== nodeKinds.linkText)) return mapEnds.bad;
  if (kindOf(tape, mimeType) !== nodeKinds.text || kindOf(tape, size) !== nodeKinds.integer)
    return mapEnds.bad;
  nodes[ref + next] = mimeType;
  nodes[mimeType + next] = size;
  // v1 writes a blob with a negative size in the old form.
  if (nodes[size + first] < 0) tape.fault ??= 'blob';
  return become(tape, map, nodes[size + first] < 0 ? nodeKinds.oldBlob : nodeKinds.blob, ref, mimeType);
}

const scratch = new ByteWriter(128);

/** Whether the text of a link that was given as text comes out as it was. */
function isWrittenSo({ nodes, source, cids }: TapeView, node: number, start: number, end: number): boolean {
  scratch.length = 0;
  writeCidText(scratch, cids.buffer, nodes[node + first], nodes[node + second]);
  return Buffer.compare(scratch.buffer.subarray(0, scratch.length), source.subarray(start, end)) === 0;
}

/** A map of two keys, `cid` and `mimeType`: a blob as they were until 2023. */
function endOldBlob(tape: TapeView, map: number, cid: number, mimeType: number): MapEnd {
  const { nodes, source } = tape;
  if (kindOf(tape, mimeType) !== nodeKinds.text) return mapEnds.bad;
  const start = nodes[cid + first];
  const end = nodes[cid + second];
  switch (kindOf(tape, cid)) {
    case nodeKinds.text:
      if (becomeLink(tape, cid, cid) === mapEnds.bad) return mapEnds.bad;
      if (!isWrittenSo(tape, cid, start, end)) tape.fault ??= 'blob';
      break;
    case nodeKinds.bytes:
      if (start === end || cidEnd(source, start, end) !== end) return mapEnds.bad;
      tape.fault ??= 'blob';
      become(tape, cid, nodeKinds.link, start, end);
      break;
    case nodeKinds.link:
      tape.fault ??= 'blob';
      break;
    default:
      return mapEnds.bad;
  }
  nodes[cid + next] = mimeType;
  return become(tape, map, nodeKinds.oldBlob, cid, mimeType);
}

/** Looks at a map of `count` entries, at least one, before they are sorted. Special ones are turned into what they are. */
export function endMap(tape: TapeView, map: number, count: number): MapEnd {
  const { nodes, source } = tape;
  const flags = nodes[map + kind];
  if ((flags & (hasLink | hasBytes)) !== 0) return endText(tape, map, count);
  if ((flags & hasType) !== 0) {
    const type = nodes[map + special];
    const start = nodes[type + first];
    const bytes = nodes[type + second] - start;
    if (kindOf(tape, type) !== nodeKinds.text || bytes === 0) return mapEnds.bad;
    return bytes === 4 && matchesAscii(source, start, 'blob') ? endBlob(tape, map, count) : mapEnds.ordinary;
  }
  if (count !== 2) return mapEnds.ordinary;
  const cid = childOf(tape, map, 'cid');
  const mimeType = cid === noNode ? noNode : childOf(tape, map, 'mimeType');
  return mimeType === noNode ? mapEnds.ordinary : endOldBlob(tape, map, cid, mimeType);
}
