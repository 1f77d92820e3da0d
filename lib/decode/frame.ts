// Reads the envelope of one firehose frame, a CBOR header and a CBOR body, into offsets. It looks at no record and
// verifies nothing: blocks are car.ts, events are lib/event. Called by lib/ingest with every frame a relay sends.

import { archiveBytesMax } from './car.ts';
import { CborCursor, majors } from './cbor-cursor.ts';
import type { DropReason } from './drop-reason.ts';
import { type FrameType, fieldOf, fields, frameTypes } from './frame-fields.ts';

export { type FrameType, frameTypes } from './frame-fields.ts';

/** What an op does. `unknown` is another action, `bad` an op that is not one. */
export const opActions = { unknown: 0, create: 1, update: 2, delete: 3, bad: 4 } as const;

/** Most ops of a commit. The protocol allows 200; this is how many v1 reads. */
const opsMax = 8192;
/** Most bytes of a sync's blocks: they are a commit object alone. */
const syncBlocksBytesMax = 10_000;
/** Longest `repo`, `did`, `rev`, `time`, `handle`, `status`, in bytes: a DID's limit, the longest of theirs. */
export const fieldBytesMax = 2048;
/** How much is kept of the name and message of an info or error frame, in bytes. */
const nameBytesMax = 256;

/** Integers of an op in {@link Frame.ops}: its action, then start and end of its path, its CID and its `prev`. */
export const opInts = 7;

/** Header `op` of a message, and of an error. */
const messageOp = 1;
const usualOps = 16;
const utf8 = new TextDecoder();
const noSeq = -1;

/** One reusable view of a frame. All spans are offsets into `bytes`, which it keeps until the next `read`. */
export class Frame {
  type: FrameType = frameTypes.unknown;
  /** The relay's sequence number; -1 when the frame has none that can be read. */
  seq: number = noSeq;
  /** Of an info or error frame: its name, such as `FutureCursor`, and message, cut to {@link nameBytesMax}. */
  name = '';
  message = '';
  bytes: Uint8Array = new Uint8Array(0);
  /** Why the frame is dropped whole, as `read` returned it. */
  reason: DropReason | undefined;
  /** The account: `repo` of a commit, `did` of others. Of a sync too, and so are `rev` and `blocks`. */
  didStart = 0;
  didEnd = 0;
  timeStart = 0;
  timeEnd = 0;
  revStart = 0;
  revEnd = 0;
  blocksStart = 0;
  blocksEnd = 0;
  /** `handle` of an identity, `status` of an account; start -1 when absent. */
  handleOrStatusStart = -1;
  handleOrStatusEnd = -1;
  active = false;
  /** Of a commit, for those who check it: the CIDs `commit` and `prevData`, and `since`. Empty when absent or none. */
  commitStart = 0;
  commitEnd = 0;
  prevDataStart = 0;
  prevDataEnd = 0;
  sinceStart = 0;
  sinceEnd = 0;
  /** {@link opInts} integers an op. A CID, or a `prev`, that ends where it starts is absent. */
  ops = new Int32Array(usualOps * opInts);
  opCount = 0;
  readonly #cursor = new CborCursor();
  /** Those of the last name and message. */
  #nameStart = 0;
  #nameEnd = 0;
  #messageStart = 0;
  #messageEnd = 0;

  /**
   * Reads one frame; never throws. The view keeps `bytes` until the next call. Returns undefined, or why the whole
   * frame is dropped; `seq` is set then too, if it could be read.
   */
  read(bytes: Uint8Array): DropReason | undefined {
    this.bytes = bytes;
    this.type = frameTypes.unknown;
    this.seq = noSeq;
    this.#nameStart = this.#nameEnd = this.#messageStart = this.#messageEnd = 0;
    this.reason = undefined;
    this.didStart = this.didEnd = this.timeStart = this.timeEnd = this.revStart = this.revEnd = 0;
    this.blocksStart = this.blocksEnd = this.opCount = 0;
    this.handleOrStatusStart = this.handleOrStatusEnd = -1;
    this.active = false;
    this.commitStart = this.commitEnd = this.prevDataStart = this.prevDataEnd = 0;
    this.sinceStart = this.sinceEnd = 0;
    this.#cursor.open(bytes, 0, bytes.length);
    if (!this.#readHeader() || !this.#readBody()) this.reason = 'bad_frame';
    this.name = this.#textOf(this.#nameStart, this.#nameEnd);
    this.message = this.#textOf(this.#messageStart, this.#messageEnd);
    if (this.seq === noSeq && this.type <= frameTypes.sync) this.reason = 'bad_frame';
    return this.reason;
  }

  #readHeader(): boolean {
    const cursor = this.#cursor;
    if (!cursor.typed(majors.map)) return false;
    let op = 0;
    let type: FrameType = frameTypes.unknown;
    for (let left = cursor.argument; left > 0; left--) {
      if (!cursor.sized(majors.text)) return false;
      const isOp = cursor.is('op');
      const isType = cursor.is('t');
      cursor.at += cursor.argument;
      if (isOp) {
        if (!cursor.head() || cursor.major > majors.negative) return false;
        op = cursor.major === majors.negative ? -1 - cursor.argument : cursor.argument;
      } else if (isType) {
        if (!cursor.sized(majors.text)) return false;
        type = this.#typeNamed();
        cursor.at += cursor.argument;
      } else if (!cursor.skip()) {
        return false;
      }
    }
    if (op === messageOp) this.type = type;
    else if (op === -messageOp) this.type = frameTypes.error;
    return true;
  }

  #typeNamed(): FrameType {
    const cursor = this.#cursor;
    if (cursor.is('#commit')) return frameTypes.commit;
    if (cursor.is('#identity')) return frameTypes.identity;
    if (cursor.is('#account')) return frameTypes.account;
    if (cursor.is('#sync')) return frameTypes.sync;
    return cursor.is('#info') ? frameTypes.info : frameTypes.unknown;
  }

  #readBody(): boolean {
    const cursor = this.#cursor;
    if (!cursor.typed(majors.map)) return this.type === frameTypes.unknown;
    for (let left = cursor.argument; left > 0; left--) {
      if (!cursor.sized(majors.text)) return false;
      const field = fieldOf(cursor, this.type);
      cursor.at += cursor.argument;
      const valueAt = cursor.at;
      if (this.#readField(field)) continue;
      // A field of the wrong type: the frame is lost, its seq need not be.
      this.reason ??= 'bad_frame';
      cursor.at = valueAt;
      if (!cursor.skip()) return false;
    }
    return true;
  }

  /** Reads the value of a field; false when it is not of the field's type. */
  #readField(field: number): boolean {
    const cursor = this.#cursor;
    switch (field) {
      case fields.other:
        return cursor.skip();
      case fields.seq:
        if (!cursor.typed(majors.unsigned) || cursor.argument > Number.MAX_SAFE_INTEGER) return false;
        this.seq = cursor.argument;
        return true;
      case fields.ops:
        return this.#readOps();
      case fields.blocks:
        return this.#readBlocks();
      case fields.tooBig:
      case fields.active: {
        const value = cursor.takeBoolean();
        if (field === fields.active) this.active = value === 1;
        else if (value === 1) this.reason ??= 'too_big';
        return value >= 0;
      }
      case fields.handleOrStatus:
        this.handleOrStatusStart = this.handleOrStatusEnd = -1;
        return cursor.takeNull() || this.#readText(field);
      case fields.commit:
      case fields.prevData:
      case fields.since:
        return this.#readClaim(field);
      default:
        return this.#readText(field);
    }
  }

  #textOf(start: number, end: number): string {
    return start === end ? '' : utf8.decode(this.bytes.subarray(start, end));
  }

  #readText(field: number): boolean {
    const cursor = this.#cursor;
    const isNamed = field === fields.name || field === fields.message;
    if (!cursor.sized(majors.text) || (cursor.argument > fieldBytesMax && !isNamed)) return false;
    const start = cursor.at;
    const end = start + cursor.argument;
    cursor.at = end;
    if (field === fields.did) {
      this.didStart = start;
      this.didEnd = end;
    } else if (field === fields.time) {
      this.timeStart = start;
      this.timeEnd = end;
    } else if (field === fields.rev) {
      this.revStart = start;
      this.revEnd = end;
    } else if (field === fields.handleOrStatus) {
      this.handleOrStatusStart = start;
      this.handleOrStatusEnd = end;
    } else {
      const keptEnd = Math.min(end, start + nameBytesMax);
      if (field === fields.name) {
        this.#nameStart = start;
        this.#nameEnd = keptEnd;
      } else {
        this.#messageStart = start;
        this.#messageEnd = keptEnd;
      }
    }
    return true;
  }

  /**
   * Reads what only a check of the commit needs. Of another type it is as good as absent, and the frame is no worse:
   * v1's events do without.
   */
  #readClaim(field: number): boolean {
    const cursor = this.#cursor;
    const valueAt = cursor.at;
    const isSince = field === fields.since;
    if (!(isSince ? cursor.sized(majors.text) : cursor.takeLink()) || cursor.argument > fieldBytesMax) {
      cursor.at = valueAt;
      return cursor.skip();
    }
    if (isSince) cursor.at += cursor.argument;
    const end = cursor.at;
    const start = isSince ? end - cursor.argument : end - cursor.argument + 1;
    if (isSince) {
      this.sinceStart = start;
      this.sinceEnd = end;
    } else if (field === fields.commit) {
      this.commitStart = start;
      this.commitEnd = end;
    } else {
      this.prevDataStart = start;
      this.prevDataEnd = end;
    }
    return true;
  }

  #readBlocks(): boolean {
    const cursor = this.#cursor;
    if (!cursor.sized(majors.bytes)) return false;
    this.blocksStart = cursor.at;
    cursor.at += cursor.argument;
    this.blocksEnd = cursor.at;
    const bytesMax = this.type === frameTypes.sync ? syncBlocksBytesMax : archiveBytesMax;
    if (cursor.argument > bytesMax) this.reason ??= 'blocks_too_large';
    return true;
  }

  #readOps(): boolean {
    const cursor = this.#cursor;
    if (!cursor.sized(majors.array)) return false;
    const count = cursor.argument;
    this.opCount = 0;
    if (count > opsMax) {
      this.reason ??= 'too_many_ops';
      for (let left = count; left > 0; left--) if (!cursor.skip()) return false;
      return true;
    }
    if (count * opInts > this.ops.length) this.ops = new Int32Array(count * opInts);
    for (; this.opCount < count; this.opCount++) {
      const start = cursor.at;
      if (this.#readOp(this.opCount * opInts)) continue;
      this.ops[this.opCount * opInts] = opActions.bad;
      cursor.at = start;
      if (!cursor.skip()) return false;
    }
    return true;
  }

  #readOp(at: number): boolean {
    const cursor = this.#cursor;
    const { ops } = this;
    ops.fill(0, at, at + opInts);
    if (!cursor.typed(majors.map)) return false;
    for (let left = cursor.argument; left > 0; left--) {
      if (!cursor.sized(majors.text)) return false;
      const isAction = cursor.is('action');
      const isPath = cursor.is('path');
      const isCid = cursor.is('cid');
      const isPrev = cursor.is('prev');
      cursor.at += cursor.argument;
      if (isPrev) {
        if (!this.#readPrev(at)) return false;
      } else if (isCid) {
        ops[at + 3] = ops[at + 4] = 0;
        if (cursor.takeNull()) continue;
        if (!cursor.takeLink()) return false;
        ops[at + 3] = cursor.at - cursor.argument + 1;
        ops[at + 4] = cursor.at;
      } else if (isAction || isPath) {
        if (!cursor.sized(majors.text)) return false;
        if (isAction) ops[at] = this.#actionNamed();
        else ops[at + 1] = cursor.at;
        cursor.at += cursor.argument;
        if (isPath) ops[at + 2] = cursor.at;
      } else if (!cursor.skip()) {
        return false;
      }
    }
    return true;
  }

  /** As {@link #readClaim}: an op that is none without it is not made worse by it. */
  #readPrev(at: number): boolean {
    const cursor = this.#cursor;
    const valueAt = cursor.at;
    const isRead = cursor.takeLink() && cursor.argument <= fieldBytesMax;
    this.ops[at + 5] = isRead ? cursor.at - cursor.argument + 1 : 0;
    this.ops[at + 6] = isRead ? cursor.at : 0;
    if (isRead) return true;
    cursor.at = valueAt;
    return cursor.skip();
  }

  #actionNamed(): number {
    const cursor = this.#cursor;
    if (cursor.is('create')) return opActions.create;
    if (cursor.is('delete')) return opActions.delete;
    return cursor.is('update') ? opActions.update : opActions.unknown;
  }
}
