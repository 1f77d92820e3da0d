// Turns a frame into the JSON of its events, exactly as the Jetstream v1 wire has it (wire-v1 sections 9 to 12). It
// decides which ops survive, and which of them only that wire shows; where JSON goes, and which time it carries, is the sink's. It does not check signatures
// and does not walk the repository's tree: an op counts if its record is in the frame's blocks. Called by lib/ingest
// for every frame.

import type { ByteWriter } from '../byte-writer.ts';
import { writeBase64 } from '../decode/base64.ts';
import { archiveBytesMax, CarIndex } from '../decode/car.ts';
import { CborCursor } from '../decode/cbor-cursor.ts';
import { writeCidText } from '../decode/cid.ts';
import { isCommitObject } from '../decode/commit-object.ts';
import { isRecordCid, type V1OnlyReason } from '../decode/data-model.ts';
import type { DropReason } from '../decode/drop-reason.ts';
import { type Frame, fieldBytesMax, frameTypes, opActions, opInts } from '../decode/frame.ts';
import { replaced, writeInteger, writeText } from '../decode/json-text.ts';
import { writeRecord } from '../decode/record-json.ts';
import { isRecordPath, slashAt } from '../decode/record-path.ts';
import { RecordTape, recordBytesMax } from '../decode/record-tape.ts';
import { isRfc3339 } from '../decode/rfc3339.ts';
import { kindMask, nodeFields, nodeInts, nodeKinds } from '../decode/tape-nodes.ts';
import { isDid } from './did.ts';
import { type EventKind, eventKinds, type Operation, operationNames, operations } from './event.ts';
import { isNsid } from './nsid.ts';
import { mayBeSubject } from './subject.ts';
import { tidTimeUs } from './tid.ts';

/** Takes events one by one. Every `begin` is followed by an `end`: what is dropped is dropped before. */
export interface EventSink {
  /** Where the event's JSON goes. Read again for every event. */
  readonly writer: ByteWriter;
  /** Starts an event. Returns its `time_us`: microseconds since 1970, an integer below 2^53. */
  begin(): number;
  /** A text of the event's record that may be a subject (subject.ts). The span stays as it is until the next call. */
  subject(source: Uint8Array, start: number, end: number): void;
  /**
   * The event's JSON is complete in `writer`. The spans point into `source`, which is the frame's and stays as it is
   * until its next `read`: the account's DID, and the record's path, whose first part is the collection. Both are empty
   * when the event has none. `isV1Only`: only the first wire shows it.
   */
  end(
    kind: EventKind,
    operation: Operation,
    source: Uint8Array,
    didStart: number,
    didEnd: number,
    pathStart: number,
    collectionEnd: number,
    pathEnd: number,
    isV1Only: boolean,
  ): void;
}

/**
 * Most bytes of records that one frame is turned into, in CBOR: twice what its blocks can hold. Ops may share a block, so that
 * without this bound a frame of 3 MB could ask for gigabytes of JSON: sixteen times one megabyte of integers took 1.8 s.
 */
const frameRecordBytesMax = 2 * archiveBytesMax;
/**
 * Bytes of JSON that the ops of one frame are turned into, from which on no further op is. Each repeats account and revision, so that 8,192
 * deletions of 300 KB were 200 MB and a second of work. It is more than the records of one archive can come to, which is six times their bytes.
 */
const frameJsonBytesMax = 8 * archiveBytesMax;

const { kind, first, second } = nodeFields;
const comma = 0x2c;
const dot = 0x2e;
const closeBrace = 0x7d;

const didText = Buffer.from('{"did":');
const timeUsText = Buffer.from(',"time_us":');
const commitText = Buffer.from(',"kind":"commit","commit":{');
const identityText = Buffer.from(',"kind":"identity","identity":{"did":');
const syncText = Buffer.from(',"kind":"sync","sync":{"blocks":{"$bytes":"');
const syncDidText = Buffer.from('"},"did":');
const syncRevText = Buffer.from(',"rev":');
const accountText = Buffer.from(',"kind":"account","account":{"active":');
const revText = Buffer.from('"rev":');
const operationTexts = operationNames.map((name) => Buffer.from(`"operation":"${name}"`));
const collectionText = Buffer.from(',"collection":');
const rkeyText = Buffer.from(',"rkey":');
const recordText = Buffer.from(',"record":');
const cidText = Buffer.from(',"cid":"');
const closeCidText = Buffer.from('"}}');
const activeTexts = [Buffer.from('false,"did":'), Buffer.from('true,"did":')];
const handleText = Buffer.from(',"handle":');
const seqText = Buffer.from(',"seq":');
const statusText = Buffer.from(',"status":');
const timeText = Buffer.from(',"time":');

/** The operation of an op's action, for the actions that have one. */
const operationOf: Readonly<Record<number, Operation>> = {
  [opActions.create]: operations.create,
  [opActions.update]: operations.update,
  [opActions.delete]: operations.delete,
};

/** Writes the events of one frame after the other into a sink; keeps its scratch memory. */
export class EventWriter {
  readonly #sink: EventSink;
  readonly #onDrop: (reason: DropReason, isWhole: boolean) => void;
  readonly #onV1Only: (reason: V1OnlyReason) => void;
  readonly #car = new CarIndex();
  readonly #cursor = new CborCursor();
  readonly #tape = new RecordTape();
  /** Bytes of the records of this frame so far. */
  #recordBytes = 0;
  /** Bytes of the JSON of this frame's ops so far. */
  #jsonBytes = 0;
  /** Of this frame: why only the first wire shows what comes of it. */
  #frameFault: V1OnlyReason | undefined;
  /** `replaced.bytes` before the event at hand. */
  #replacedBefore = 0;

  /**
   * @param onDrop is told of every op, and every frame (`isWhole`) that `read` let through, that does not become an event.
   * @param onV1Only is told of every event that only the first wire shows.
   */
  constructor(
    sink: EventSink,
    onDrop: (reason: DropReason, isWhole: boolean) => void,
    onV1Only: (reason: V1OnlyReason) => void = () => {},
  ) {
    this.#sink = sink;
    this.#onDrop = onDrop;
    this.#onV1Only = onV1Only;
  }

  /**
   * Writes every surviving event of a commit, identity, account or sync frame. Other types, and frames that `read` found a
   * reason to drop, write nothing. Never throws on bad input. Returns the number of events.
   */
  write(frame: Frame): number {
    if (frame.reason !== undefined || frame.type > frameTypes.sync) return 0;
    const isSync = frame.type === frameTypes.sync;
    let reason = frame.type === frameTypes.commit || isSync ? this.#checkCommit(frame) : undefined;
    this.#frameFault = frameFaultOf(frame);
    // The wire that shows it has no use for one without account or revision.
    if (isSync && this.#frameFault !== undefined) reason ??= 'bad_frame';
    if (reason !== undefined || !isRfc3339(frame.bytes, frame.timeStart, frame.timeEnd)) {
      this.#onDrop(reason ?? 'bad_time', true);
      return 0;
    }
    if (frame.type === frameTypes.commit) return this.#writeOps(frame);
    this.#replacedBefore = replaced.bytes;
    if (frame.type === frameTypes.identity) this.#writeIdentity(frame);
    else if (isSync) this.#writeSync(frame);
    else this.#writeAccount(frame);
    return 1;
  }

  #checkCommit(frame: Frame): DropReason | undefined {
    const reason = this.#car.read(frame.bytes, frame.blocksStart, frame.blocksEnd);
    if (reason !== undefined) return reason;
    if (!this.#car.findRoot()) return 'bad_commit';
    const isCommit = isCommitObject(this.#cursor, frame.bytes, this.#car.blockStart, this.#car.blockEnd);
    return isCommit ? undefined : 'bad_commit';
  }

  #writeOps(frame: Frame): number {
    let events = 0;
    this.#recordBytes = this.#jsonBytes = 0;
    for (let op = 0; op < frame.opCount; op++) {
      const reason = this.#writeOp(frame, op * opInts);
      if (reason === undefined) events++;
      else this.#onDrop(reason, false);
    }
    return events;
  }

  #writeOp(frame: Frame, at: number): DropReason | undefined {
    const { bytes, ops } = frame;
    const action = ops[at];
    const pathStart = ops[at + 1];
    const pathEnd = ops[at + 2];
    if (action === opActions.bad) return 'bad_op';
    const slash = slashAt(bytes, pathStart, pathEnd);
    if (slash === pathEnd || pathEnd - pathStart > fieldBytesMax) return 'bad_path';
    if (action === opActions.unknown) return 'unknown_action';
    if (this.#jsonBytes > frameJsonBytesMax) return 'too_many_ops';
    const withRecord = action !== opActions.delete;
    this.#replacedBefore = replaced.bytes;
    if (withRecord) {
      const reason = this.#readRecord(frame, at);
      if (reason !== undefined) return reason;
    }
    const jsonStart = this.#sink.writer.length;
    const out = this.#begin(frame);
    out.bytes(commitText);
    if (frame.revEnd > frame.revStart) {
      out.bytes(revText);
      writeText(out, bytes, frame.revStart, frame.revEnd);
      out.byte(comma);
    }
    out.bytes(operationTexts[operationOf[action]]);
    if (slash > pathStart) {
      out.bytes(collectionText);
      writeText(out, bytes, pathStart, slash);
    }
    const rkeyEnd = slashAt(bytes, slash + 1, pathEnd);
    if (rkeyEnd > slash + 1) {
      out.bytes(rkeyText);
      writeText(out, bytes, slash + 1, rkeyEnd);
    }
    if (withRecord) {
      out.bytes(recordText);
      writeRecord(out, this.#tape);
      this.#tellSubjects();
      out.bytes(cidText);
      writeCidText(out, bytes, ops[at + 3], ops[at + 4]);
      out.bytes(closeCidText);
    } else {
      out.byte(closeBrace);
      out.byte(closeBrace);
    }
    const { didStart, didEnd } = frame;
    this.#jsonBytes += out.length - jsonStart;
    const isV1Only = this.#isV1Only(
      pathFaultOf(bytes, pathStart, slash, pathEnd) ??
        (withRecord ? (this.#tape.fault ?? cidFaultOf(bytes, ops[at + 3], ops[at + 4])) : undefined),
    );
    this.#sink.end(
      eventKinds.commit,
      operationOf[action],
      bytes,
      didStart,
      didEnd,
      pathStart,
      slash,
      pathEnd,
      isV1Only,
    );
    return undefined;
  }

  /** To be asked once for each event, when it is written. @param fault what is known beside frame and text. */
  #isV1Only(fault?: V1OnlyReason): boolean {
    const reason =
      this.#frameFault ?? fault ?? (replaced.bytes === this.#replacedBefore ? undefined : 'text');
    if (reason !== undefined) this.#onV1Only(reason);
    return reason !== undefined;
  }

  #tellSubjects(): void {
    const { nodes, source, end } = this.#tape;
    for (let node = 0; node < end; node += nodeInts) {
      if ((nodes[node + kind] & kindMask) !== nodeKinds.text) continue;
      const from = nodes[node + first];
      const to = nodes[node + second];
      if (mayBeSubject(source, from, to)) this.#sink.subject(source, from, to);
    }
  }

  /** Puts the record of a create or update on the tape. */
  #readRecord({ bytes, ops }: Frame, at: number): DropReason | undefined {
    const cidStart = ops[at + 3];
    const cidEnd = ops[at + 4];
    if (!isRecordPath(bytes, ops[at + 1], ops[at + 2])) return 'bad_path';
    if (cidStart === cidEnd) return 'missing_cid';
    if (!this.#car.find(bytes, cidStart, cidEnd)) return 'missing_block';
    const { blockStart, blockEnd } = this.#car;
    if (blockEnd - blockStart > recordBytesMax) return 'record_too_large';
    this.#recordBytes += blockEnd - blockStart;
    if (this.#recordBytes > frameRecordBytesMax) return 'too_many_ops';
    return this.#tape.read(bytes, blockStart, blockEnd) ? undefined : 'bad_record';
  }

  #writeIdentity(frame: Frame): void {
    const { bytes, didStart, didEnd, handleOrStatusStart, handleOrStatusEnd } = frame;
    const out = this.#begin(frame);
    out.bytes(identityText);
    writeText(out, bytes, didStart, didEnd);
    if (handleOrStatusStart >= 0) {
      out.bytes(handleText);
      writeText(out, bytes, handleOrStatusStart, handleOrStatusEnd);
    }
    out.bytes(seqText);
    writeInteger(out, frame.seq);
    this.#endWithTime(frame, out, eventKinds.identity);
  }

  #writeAccount(frame: Frame): void {
    const { bytes, didStart, didEnd, handleOrStatusStart, handleOrStatusEnd } = frame;
    const out = this.#begin(frame);
    out.bytes(accountText);
    out.bytes(activeTexts[frame.active ? 1 : 0]);
    writeText(out, bytes, didStart, didEnd);
    out.bytes(seqText);
    writeInteger(out, frame.seq);
    if (handleOrStatusStart >= 0) {
      out.bytes(statusText);
      writeText(out, bytes, handleOrStatusStart, handleOrStatusEnd);
    }
    this.#endWithTime(frame, out, eventKinds.account);
  }

  #writeSync(frame: Frame): void {
    const { bytes, didStart, didEnd, revStart, revEnd } = frame;
    const out = this.#begin(frame);
    out.bytes(syncText);
    writeBase64(out, bytes, frame.blocksStart, frame.blocksEnd);
    out.bytes(syncDidText);
    writeText(out, bytes, didStart, didEnd);
    out.bytes(syncRevText);
    writeText(out, bytes, revStart, revEnd);
    out.bytes(seqText);
    writeInteger(out, frame.seq);
    this.#endWithTime(frame, out, eventKinds.sync);
  }

  /** Starts an event and writes what all kinds start with. */
  #begin(frame: Frame): ByteWriter {
    const timeUs = this.#sink.begin();
    const out = this.#sink.writer;
    out.bytes(didText);
    writeText(out, frame.bytes, frame.didStart, frame.didEnd);
    out.bytes(timeUsText);
    writeInteger(out, timeUs);
    return out;
  }

  #endWithTime(frame: Frame, out: ByteWriter, kind: EventKind): void {
    out.bytes(timeText);
    writeText(out, frame.bytes, frame.timeStart, frame.timeEnd);
    out.byte(closeBrace);
    out.byte(closeBrace);
    const { bytes, didStart, didEnd } = frame;
    this.#sink.end(kind, operations.none, bytes, didStart, didEnd, 0, 0, 0, this.#isV1Only());
  }
}

const latin1 = Buffer.prototype.latin1Slice;

/** What is wrong with account and revision, by the second wire's lexicon. */
function frameFaultOf({ type, bytes, didStart, didEnd, revStart, revEnd }: Frame): V1OnlyReason | undefined {
  if (!isDid(latin1.call(bytes, didStart, didEnd))) return 'did';
  const hasRev = type === frameTypes.commit || type === frameTypes.sync;
  return hasRev && Number.isNaN(tidTimeUs(bytes, revStart, revEnd)) ? 'rev' : undefined;
}

function pathFaultOf(bytes: Uint8Array, start: number, slash: number, end: number): V1OnlyReason | undefined {
  const isDots =
    bytes[slash + 1] === dot && (end - slash === 2 || (end - slash === 3 && bytes[slash + 2] === dot));
  const isGood = !isDots && isRecordPath(bytes, start, end) && isNsid(latin1.call(bytes, start, slash));
  return isGood ? undefined : 'path';
}

function cidFaultOf(bytes: Uint8Array, start: number, end: number): V1OnlyReason | undefined {
  return isRecordCid(bytes, start, end) ? undefined : 'cid';
}
