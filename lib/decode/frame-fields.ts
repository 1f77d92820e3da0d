// The types of frames, and the fields of their bodies that are read, by the names that the protocol gives them. How a
// value is read, and where it goes, is frame.ts.

import type { CborCursor } from './cbor-cursor.ts';

/** What a frame is. `info` carries no event; `unknown` is any type that is not known. */
export const frameTypes = {
  commit: 0,
  identity: 1,
  account: 2,
  sync: 3,
  info: 4,
  error: 5,
  unknown: 6,
} as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** The fields of bodies that are read. `did` is a commit's `repo` too; `handleOrStatus` is as in {@link Frame}. */
export const fields = {
  other: 0,
  seq: 1,
  did: 2,
  time: 3,
  rev: 4,
  ops: 5,
  blocks: 6,
  tooBig: 7,
  handleOrStatus: 8,
  active: 9,
  name: 10,
  message: 11,
  commit: 12,
  prevData: 13,
  since: 14,
} as const;

/** Which field of a frame of that type the key at the cursor is. */
export function fieldOf(cursor: CborCursor, type: FrameType): number {
  if (cursor.is('seq')) return fields.seq;
  switch (type) {
    case frameTypes.commit:
      if (cursor.is('ops')) return fields.ops;
      if (cursor.is('rev')) return fields.rev;
      if (cursor.is('repo')) return fields.did;
      if (cursor.is('time')) return fields.time;
      if (cursor.is('blocks')) return fields.blocks;
      if (cursor.is('commit')) return fields.commit;
      if (cursor.is('prevData')) return fields.prevData;
      if (cursor.is('since')) return fields.since;
      return cursor.is('tooBig') ? fields.tooBig : fields.other;
    case frameTypes.sync:
      if (cursor.is('did')) return fields.did;
      if (cursor.is('rev')) return fields.rev;
      if (cursor.is('time')) return fields.time;
      return cursor.is('blocks') ? fields.blocks : fields.other;
    case frameTypes.identity:
    case frameTypes.account:
      if (cursor.is('did')) return fields.did;
      if (cursor.is('time')) return fields.time;
      if (type === frameTypes.account && cursor.is('active')) return fields.active;
      return cursor.is(type === frameTypes.identity ? 'handle' : 'status')
        ? fields.handleOrStatus
        : fields.other;
    case frameTypes.info:
    case frameTypes.error:
      if (cursor.is('message')) return fields.message;
      return cursor.is(type === frameTypes.info ? 'name' : 'error') ? fields.name : fields.other;
    default:
      return fields.other;
  }
}
