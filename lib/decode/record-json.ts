// Writes a record tape as JSON. Everything is decided already (record-tape.ts): this cannot fail, and follows the
// links between nodes without recursion.

import type { ByteWriter } from '../byte-writer.ts';
import { writeBase64, writeBytesText } from './base64.ts';
import { writeCidText } from './cid.ts';
import { blobLetters, writeInt64, writeText } from './json-text.ts';
import { keyIsEscaped, kindMask, nodeFields, nodeKinds, noNode, type TapeView } from './tape-nodes.ts';

const { kind, keyStart, keyEnd, first, second, next } = nodeFields;
const quote = 0x22;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

const nullText = Buffer.from('null');
const trueText = Buffer.from('true');
const falseText = Buffer.from('false');
const openLink = Buffer.from('{"$link":"');
const openBytes = Buffer.from('{"$bytes":"');
const closeTextObject = Buffer.from('"}');
const openBlob = Buffer.from('{"$type":"blob","ref":');
const blobMimeType = Buffer.from(',"mimeType":');
const blobSize = Buffer.from(',"size":');
const openOldBlob = Buffer.from('{"cid":"');
const oldBlobMimeType = Buffer.from('","mimeType":');

/** Appends the CID of a link node. */
function writeCid(out: ByteWriter, tape: TapeView, node: number): void {
  const { nodes } = tape;
  const inCids = (nodes[node + kind] & kindMask) === nodeKinds.linkText;
  writeCidText(out, inCids ? tape.cids.buffer : tape.source, nodes[node + first], nodes[node + second]);
}

function writeLink(out: ByteWriter, tape: TapeView, node: number): void {
  out.bytes(openLink);
  writeCid(out, tape, node);
  out.bytes(closeTextObject);
}

function writeBlob(out: ByteWriter, tape: TapeView, node: number): void {
  const { nodes, source } = tape;
  const ref = nodes[node + first];
  const mimeType = nodes[ref + next];
  const isOld = (nodes[node + kind] & kindMask) === nodeKinds.oldBlob;
  out.bytes(isOld ? openOldBlob : openBlob);
  if (isOld) writeCid(out, tape, ref);
  else writeLink(out, tape, ref);
  out.bytes(isOld ? oldBlobMimeType : blobMimeType);
  writeText(out, source, nodes[mimeType + first], nodes[mimeType + second], blobLetters);
  if (!isOld) {
    const size = nodes[mimeType + next];
    out.bytes(blobSize);
    writeInt64(out, nodes[size + first], nodes[size + second]);
  }
  out.byte(closeBrace);
}

/** Appends a node that has no children of its own to visit. */
function writeLeaf(out: ByteWriter, tape: TapeView, node: number): void {
  const { nodes, source } = tape;
  const start = nodes[node + first];
  const end = nodes[node + second];
  switch (nodes[node + kind] & kindMask) {
    case nodeKinds.text:
      writeText(out, source, start, end);
      break;
    case nodeKinds.integer:
      writeInt64(out, start, end);
      break;
    case nodeKinds.link:
    case nodeKinds.linkText:
      writeLink(out, tape, node);
      break;
    case nodeKinds.blob:
    case nodeKinds.oldBlob:
      writeBlob(out, tape, node);
      break;
    case nodeKinds.true:
      out.bytes(trueText);
      break;
    case nodeKinds.false:
      out.bytes(falseText);
      break;
    case nodeKinds.null:
      out.bytes(nullText);
      break;
    case nodeKinds.bytes:
      out.bytes(openBytes);
      writeBase64(out, source, start, end);
      out.bytes(closeTextObject);
      break;
    default:
      out.bytes(openBytes);
      writeBytesText(out, source, start, end);
      out.bytes(closeTextObject);
  }
}

function writeKey(out: ByteWriter, tape: TapeView, node: number): void {
  const { nodes, source } = tape;
  const start = nodes[node + keyStart];
  const end = nodes[node + keyEnd];
  if ((nodes[node + kind] & keyIsEscaped) !== 0) {
    writeText(out, source, start, end);
    out.byte(colon);
    return;
  }
  out.reserve(end - start + 3);
  const { buffer } = out;
  let at = out.length;
  buffer[at++] = quote;
  for (let index = start; index < end; index++) buffer[at++] = source[index];
  buffer[at] = quote;
  buffer[at + 1] = colon;
  out.length = at + 2;
}

/** Appends the record on the tape as a JSON object; a null record is an empty one. */
export function writeRecord(out: ByteWriter, tape: TapeView): void {
  const { nodes } = tape;
  out.byte(openBrace);
  let container = 0;
  let isMap = true;
  let node = (nodes[kind] & kindMask) === nodeKinds.map ? nodes[first] : noNode;
  for (;;) {
    if (node === noNode) {
      out.byte(isMap ? closeBrace : closeBracket);
      node = container;
      container = node === 0 ? noNode : nodes[node + second];
      if (container === noNode) return;
      isMap = (nodes[container + kind] & kindMask) === nodeKinds.map;
    } else {
      if (isMap) writeKey(out, tape, node);
      const is = nodes[node + kind] & kindMask;
      if (is === nodeKinds.map || is === nodeKinds.array) {
        container = node;
        isMap = is === nodeKinds.map;
        out.byte(isMap ? openBrace : openBracket);
        node = nodes[node + first];
        continue;
      }
      writeLeaf(out, tape, node);
    }
    node = nodes[node + next];
    if (node !== noNode) out.byte(comma);
  }
}
