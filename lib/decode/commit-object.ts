// Whether a block is the commit object of a repository: what the first root of a commit's blocks must be. Its
// signature and its tree are not looked at. Called by lib/event for every commit.

import { type CborCursor, majors } from './cbor-cursor.ts';

/** Repository formats that exist. */
const versionMin = 2;
const versionMax = 3;

/** Passes the value of a field that has one type; false when it is of another. */
function passField(cursor: CborCursor, text: boolean): boolean {
  if (!cursor.sized(text ? majors.text : majors.bytes)) return false;
  cursor.at += cursor.argument;
  return true;
}

/** Whether `bytes[start, end)` is a commit object of a known version. Uses, and leaves anywhere, the cursor. */
export function isCommitObject(cursor: CborCursor, bytes: Uint8Array, start: number, end: number): boolean {
  cursor.open(bytes, start, end);
  if (!cursor.typed(majors.map)) return false;
  let version = 0;
  for (let left = cursor.argument; left > 0; left--) {
    if (!cursor.sized(majors.text)) return false;
    const isText = cursor.is('did') || cursor.is('rev');
    const isSignature = cursor.is('sig');
    const isLink = cursor.is('data') || cursor.is('prev');
    const mayBeNull = cursor.is('prev');
    const isVersion = cursor.is('version');
    cursor.at += cursor.argument;
    if (isVersion) {
      if (!cursor.typed(majors.unsigned)) return false;
      version = cursor.argument;
    } else if (isText || isSignature) {
      if (!passField(cursor, isText)) return false;
    } else if (isLink ? !(mayBeNull && cursor.takeNull()) && !cursor.takeLink() : !cursor.skip()) {
      return false;
    }
  }
  return version >= versionMin && version <= versionMax;
}
