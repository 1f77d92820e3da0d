// Checks one block against itself: checksums, columns, WebSocket messages, the text of every event against its columns,
// every zstd frame against its text. What events point at is subject-check.ts, how blocks follow each other is
// order-check.ts and segment-check.ts.

import { isUtf8 } from 'node:buffer';
import type { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, kindIn, operationIn, operationNames } from '../../lib/event/event.ts';
import { binaryMessage, payloadStartIn, textMessage } from '../../lib/event/websocket-frame.ts';
import { type BlockIndex, noCollection } from '../../lib/log/block.ts';
import { type BlockHead, checkPayload, parts } from '../../lib/log/block-format.ts';
import { noDictionaryId } from '../../lib/log/journal-value.ts';
import { type ProblemCode, type ProblemList, reasonOf } from './problem.ts';
import { type FoundBlock, readFoundHead, unpackJson } from './reader.ts';
import { type CommitText, readFoundSubjects, SubjectCheck } from './subject-check.ts';

/** Decompresses the zstd frames of one dictionary; the part of a `Compressor` that checking needs. */
export interface EventDecompressor {
  /** @throws anything when `frame` is damaged, or holds more than `maxBytes`. */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
}

/** What an event's text must have for its columns to be compared. */
interface EventText {
  readonly did?: unknown;
  readonly time_us?: unknown;
  readonly kind?: unknown;
  readonly commit?: CommitText;
}

const kindNames = Object.keys(eventKinds);
/** UTF-8 bytes of a usual DID at most; a longer one costs a buffer of its own. */
const scratchBytes = 4096;

/** See the file comment. */
export class BlockCheck {
  /** Events whose zstd frames were not looked into, by the dictionary that was not given. */
  readonly unchecked = new Map<number, number>();
  readonly #problems: ProblemList;
  readonly #hasher: DidHasher | undefined;
  readonly #subjectCheck: SubjectCheck | undefined;
  readonly #decompressorOf: (dictionaryId: number) => EventDecompressor | undefined;
  readonly #didScratch = Buffer.allocUnsafeSlow(scratchBytes);
  /** What is wrong with events of the block at hand: one problem for each name, however many events have it. */
  readonly #faults = new Map<ProblemCode, { readonly detail: string; events: number }>();

  /**
   * @param hasher with the log's key; without it DIDs and subjects are not compared.
   * @param decompressorOf undefined for a dictionary that is not at hand: zstd frames made with it are only measured.
   */
  constructor(
    problems: ProblemList,
    hasher: DidHasher | undefined,
    decompressorOf: (dictionaryId: number) => EventDecompressor | undefined,
  ) {
    this.#problems = problems;
    this.#hasher = hasher;
    this.#subjectCheck =
      hasher && new SubjectCheck(hasher, (code, event, detail) => this.#fault(code, event, detail));
    this.#decompressorOf = decompressorOf;
  }

  /** Reports all that is wrong with a block; its head, with subjects in the index, when that is readable. */
  check(block: FoundBlock): BlockHead | undefined {
    const report = (code: ProblemCode, detail: string): void =>
      this.#problems.report(code, block.database, block.lastTimeUs, detail);
    let head: BlockHead;
    try {
      head = readFoundHead(block);
    } catch (error) {
      report(block.head === undefined ? 'head_missing' : 'head_damaged', reasonOf(error));
      return undefined;
    }
    const { lastTimeUs } = head.index;
    if (lastTimeUs !== block.lastTimeUs) report('key_mismatch', `the head is of block ${lastTimeUs}`);
    head = { ...head, index: { ...head.index, subjects: readFoundSubjects(block, head, report) } };
    checkTimes(head.index, report);
    this.#checkPayloads(block, head, report);
    for (const [code, { detail, events }] of this.#faults) {
      report(code, events === 1 ? detail : `${detail} (and ${events - 1} more events)`);
    }
    this.#faults.clear();
    return head;
  }

  #checkPayloads(block: FoundBlock, head: BlockHead, report: Report): void {
    const { index } = head;
    let json = block.json && checked(head, parts.json, block.json, report);
    if (block.json === undefined) report('json_missing', 'it has no JSON part');
    if (json !== undefined) {
      try {
        json = unpackJson(block, json);
      } catch (error) {
        report('json_undecodable', reasonOf(error));
        json = undefined;
      }
    }
    if (json !== undefined && !endsFit(index.jsonEnd, json.length, 'json_length', report)) json = undefined;
    if (json !== undefined) this.#checkTexts(head, json);

    // Made again from the JSON when the log is opened, or the block read.
    if (head.dictionaryId === noDictionaryId && head.zstdBytes === 0 && block.zstd?.length === 0) return;
    const zstd = block.zstd && checked(head, parts.zstd, block.zstd, report);
    if (block.zstd === undefined) report('zstd_missing', 'it has no zstd part');
    if (zstd === undefined || !endsFit(index.zstdEnd, zstd.length, 'zstd_length', report)) return;
    const decompressor = this.#decompressorOf(head.dictionaryId);
    if (decompressor === undefined) {
      this.unchecked.set(head.dictionaryId, (this.unchecked.get(head.dictionaryId) ?? 0) + index.count);
    }
    this.#checkZstd(index, zstd, json, decompressor);
  }

  #checkTexts({ index, subjectBytes }: BlockHead, json: Uint8Array): void {
    const hasSubjects = subjectBytes === 0 || index.subjects !== undefined;
    const text = Buffer.from(json.buffer, json.byteOffset, json.length);
    let start = 0;
    for (let event = 0; event < index.count; event++) {
      const end = index.jsonEnd[event];
      const payloadStart = payloadStartIn(json, start, end, textMessage);
      if (payloadStart === 0) {
        this.#fault('json_message', event, `bytes ${start} to ${end} are not one text message`);
      } else {
        const parsed = this.#checkText(index, event, text, payloadStart, end);
        if (parsed !== undefined && hasSubjects) {
          const commit = parsed.kind === 'commit' ? (parsed.commit ?? {}) : undefined;
          this.#subjectCheck?.check(index.subjects, event, index.timeUs[event], commit);
        }
      }
      start = end;
    }
  }

  /** What an event's text says; undefined when that cannot be read, and has been reported. */
  #checkText(
    index: BlockIndex,
    event: number,
    text: Buffer,
    start: number,
    end: number,
  ): EventText | undefined {
    let parsed: EventText | null;
    try {
      parsed = JSON.parse(text.toString('utf8', start, end));
    } catch (error) {
      this.#fault('json_text', event, (error as Error).message);
      return undefined;
    }
    if (typeof parsed !== 'object' || parsed === null || !isUtf8(text.subarray(start, end))) {
      this.#fault('json_text', event, 'it is not an object, or not UTF-8');
      return undefined;
    }
    const timeUs = index.timeUs[event];
    if (parsed.time_us !== timeUs) {
      this.#fault('event_time', event, `time_us is ${parsed.time_us}, the column says ${timeUs}`);
    }
    if (!this.#isDidOf(index, event, parsed.did)) {
      this.#fault('event_did', event, `the column is not the hash of its DID ${parsed.did}`);
    }
    const kind = kindNames[kindIn(index.kindAndOperation[event])];
    const operation = operationNames[operationIn(index.kindAndOperation[event])];
    if (parsed.kind !== kind || (parsed.commit?.operation ?? '') !== operation) {
      const said = `${parsed.kind} ${parsed.commit?.operation ?? ''}`.trimEnd();
      this.#fault('event_kind', event, `it is ${said}, the column says ${`${kind} ${operation}`.trimEnd()}`);
    }
    const id = index.collection[event];
    const collection = id === noCollection ? '' : index.collections[id];
    if ((parsed.commit?.collection ?? '') !== collection) {
      const said = parsed.commit?.collection ?? 'none';
      this.#fault('event_collection', event, `it is of ${said}, the column says ${collection || 'none'}`);
    }
    return parsed;
  }

  #isDidOf(index: BlockIndex, event: number, did: unknown): boolean {
    if (typeof did !== 'string') return false;
    const hasher = this.#hasher;
    if (hasher === undefined) return true;
    if (did.length * 3 <= scratchBytes) {
      hasher.hash(this.#didScratch, 0, this.#didScratch.write(did));
    } else {
      const bytes = Buffer.from(did);
      hasher.hash(bytes, 0, bytes.length);
    }
    return hasher.low === index.didHash[event * 2] && hasher.high === index.didHash[event * 2 + 1];
  }

  #checkZstd(
    index: BlockIndex,
    zstd: Uint8Array,
    json: Uint8Array | undefined,
    decompressor: EventDecompressor | undefined,
  ): void {
    let start = 0;
    let jsonStart = 0;
    for (let event = 0; event < index.count; event++) {
      const end = index.zstdEnd[event];
      const jsonEnd = index.jsonEnd[event];
      const payloadStart = payloadStartIn(zstd, start, end, binaryMessage);
      if (payloadStart === 0) {
        this.#fault('zstd_message', event, `bytes ${start} to ${end} are not one binary message`);
      } else if (decompressor !== undefined && json !== undefined) {
        const textStart = payloadStartIn(json, jsonStart, jsonEnd, textMessage);
        // A damaged text message has been reported, and is nothing to compare with.
        if (textStart > 0) {
          const frame = zstd.subarray(payloadStart, end);
          this.#checkFrame(event, frame, json.subarray(textStart, jsonEnd), decompressor);
        }
      }
      start = end;
      jsonStart = jsonEnd;
    }
  }

  #checkFrame(event: number, frame: Uint8Array, text: Uint8Array, decompressor: EventDecompressor): void {
    let content: Uint8Array;
    try {
      content = decompressor.decompress(frame, text.length);
    } catch (error) {
      this.#fault('zstd_undecodable', event, reasonOf(error));
      return;
    }
    if (Buffer.compare(content, text) !== 0) this.#fault('zstd_content', event, 'it is not what the JSON is');
  }

  #fault(code: ProblemCode, event: number, detail: string): void {
    const fault = this.#faults.get(code);
    if (fault === undefined) this.#faults.set(code, { detail: `event ${event}: ${detail}`, events: 1 });
    else fault.events++;
  }
}

type Report = (code: ProblemCode, detail: string) => void;

function checkTimes(index: BlockIndex, report: Report): void {
  const { count, timeUs, firstTimeUs, lastTimeUs } = index;
  for (let event = 1; event < count; event++) {
    if (timeUs[event] > timeUs[event - 1]) continue;
    report('time_order', `event ${event} has ${timeUs[event]} after ${timeUs[event - 1]}`);
    break;
  }
  // Compaction may have put blocks without events behind the last event, so that the block ends later.
  if (count > 0 && (timeUs[0] !== firstTimeUs || !(timeUs[count - 1] <= lastTimeUs))) {
    report('columns', `its events are of ${timeUs[0]} to ${timeUs[count - 1]}, its head of ${firstTimeUs}`);
  }
  for (let event = 0; event < count; event++) {
    const id = index.collection[event];
    if (id === noCollection || id < index.collections.length) continue;
    report('columns', `event ${event} is of collection ${id} of ${index.collections.length}`);
    break;
  }
}

/** A payload that is what the head was written with; else it is reported. */
function checked(
  head: BlockHead,
  part: typeof parts.json | typeof parts.zstd,
  payload: Uint8Array,
  report: Report,
): Uint8Array | undefined {
  try {
    return checkPayload(head, part, payload);
  } catch {
    const [code, bytes] =
      part === parts.json
        ? (['json_checksum', head.jsonBytes] as const)
        : (['zstd_checksum', head.zstdBytes] as const);
    report(
      code,
      payload.length === bytes ? 'its checksum is wrong' : `it has ${payload.length} bytes of ${bytes}`,
    );
    return undefined;
  }
}

/** Whether `ends` rise to `bytes`, so that messages can be cut by them; else it is reported. */
function endsFit(ends: Uint32Array, bytes: number, code: ProblemCode, report: Report): boolean {
  let last = 0;
  for (let event = 0; event < ends.length; event++) {
    if (ends[event] <= last) {
      report(code, `event ${event} ends at ${ends[event]}, the one before it at ${last}`);
      return false;
    }
    last = ends[event];
  }
  if (last !== bytes) report(code, `it has ${bytes} bytes, its last event ends at ${last}`);
  return last === bytes;
}
