// The path of a record in its repository, `collection/rkey`, as bytes. Called by lib/event for every op.

/** Longest collection, an NSID's limit, and longest record key, in bytes. With the slash between them a path has 830. */
export const collectionBytesMax = 317;
const rkeyBytesMax = 512;
const slash = 0x2f;

/** For every byte, 1 if a collection or an rkey may contain it. */
const allowed = new Uint8Array(256);
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.~-') {
  allowed[character.charCodeAt(0)] = 1;
}

/** Where the first slash of the span is; `end` when there is none. */
export function slashAt(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== slash) at++;
  return at;
}

/** Whether a repository can hold a record under that path: one slash, and on both sides of it what is allowed. */
export function isRecordPath(bytes: Uint8Array, start: number, end: number): boolean {
  const middle = slashAt(bytes, start, end);
  if (middle === start || middle - start > collectionBytesMax) return false;
  if (middle >= end - 1 || end - middle - 1 > rkeyBytesMax) return false;
  for (let at = start; at < end; at++) {
    if (at !== middle && allowed[bytes[at]] === 0) return false;
  }
  return true;
}
