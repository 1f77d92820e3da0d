// Links between the blocks of a repository's tree: a CID of one form only, version 1, DAG-CBOR, SHA-256, as DAG-CBOR writes a
// link to it. Their bytes are compared and replaced in place.

/** Bytes of such a CID, and of its digest at the end of it. */
export const linkBytes = 36;
export const digestBytes = 32;
/** Bytes in front of the CID: the tag 42, the head of 37 bytes, a zero. */
export const linkHeadBytes = 5;

const head = Buffer.from('d82a582500' + '01711220', 'hex');

/** Whether such a link starts at `at`, and is there whole before `end`. */
export function isTreeLink(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < linkHeadBytes + linkBytes) return false;
  for (let index = 0; index < head.length; index++) {
    if (bytes[at + index] !== head[index]) return false;
  }
  return true;
}

/** Writes such a link. @param digest as latin1 text. */
export function writeTreeLink(out: Uint8Array, at: number, digest: string): void {
  for (let index = 0; index < head.length; index++) out[at + index] = head[index];
  writeDigest(out, at + head.length, digest);
}

/** Writes such a link, to the CID at `from`. */
export function copyTreeLink(out: Uint8Array, at: number, source: Uint8Array, from: number): void {
  for (let index = 0; index < linkHeadBytes; index++) out[at + index] = head[index];
  const cidAt = at + linkHeadBytes;
  for (let index = 0; index < linkBytes; index++) out[cidAt + index] = source[from + index];
}

/** @param digest as latin1 text. */
export function writeDigest(out: Uint8Array, at: number, digest: string): void {
  for (let index = 0; index < digestBytes; index++) out[at + index] = digest.charCodeAt(index);
}

/** Whether both spans hold the same bytes. */
export function isSame(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let index = aEnd - aStart - 1; index >= 0; index--) {
    if (a[aStart + index] !== b[bStart + index]) return false;
  }
  return true;
}

/** The order of keys: byte by byte, a beginning before what it begins. Negative, zero or positive. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const count = Math.min(aEnd - aStart, bEnd - bStart);
  for (let index = 0; index < count; index++) {
    const difference = a[aStart + index] - b[bStart + index];
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
