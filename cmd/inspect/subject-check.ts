// Reads what the columns of a block say that its events point at, and checks it against their text: the path of an
// event's record, and every account and record that is named in it. Fed by block-check.ts with the events of a log in
// order. What segment indexes say of these columns is segment-check.ts.

import type { DidHasher } from '../../lib/event/did-hash.ts';
import { mayBeSubject, noPath, SubjectHasher, subjectInts } from '../../lib/event/subject.ts';
import type { SubjectColumns } from '../../lib/log/block.ts';
import { type BlockHead, readSubjectsOf } from '../../lib/log/block-format.ts';
import { subjectsOfEventMax } from '../../lib/log/subject-builder.ts';
import { subjectHashesOf } from '../../lib/log/subject-columns.ts';
import { type ProblemCode, reasonOf } from './problem.ts';
import type { FoundBlock } from './reader.ts';

/** What an event's text must have for its subjects to be compared. */
export interface CommitText {
  readonly operation?: unknown;
  readonly collection?: unknown;
  readonly rkey?: unknown;
  readonly record?: unknown;
}

/** What the events of a block point at; undefined when that is nothing, or cannot be read. Reports what is wrong. */
export function readFoundSubjects(
  { subjects: value }: FoundBlock,
  head: BlockHead,
  report: (code: ProblemCode, detail: string) => void,
): SubjectColumns | undefined {
  if (head.subjectBytes === 0 && value !== undefined)
    report('subjects_excess', `${value.length} bytes of subjects that its head does not have`);
  let subjects: SubjectColumns | undefined;
  try {
    subjects = readSubjectsOf(head, value);
  } catch (error) {
    report(value === undefined ? 'subjects_missing' : 'subjects_damaged', reasonOf(error));
  }
  const { createdFromUs, createdThroughUs } = subjects ?? { createdFromUs: 0, createdThroughUs: 0 };
  if (!(createdFromUs <= createdThroughUs && createdThroughUs <= head.index.lastTimeUs))
    report('columns', `its events were created from ${createdFromUs} through ${createdThroughUs}`);
  return subjects;
}

/** What the writer puts in the place of bytes that are not UTF-8. */
const replacement = '\ufffd';
const nothing = new Uint32Array(0);

/** See the file comment. */
export class SubjectCheck {
  readonly #hasher: SubjectHasher;
  readonly #fault: (code: ProblemCode, event: number, detail: string) => void;
  /** Time of the first event with a path: events before it may be of format 1, which had none. */
  #firstUs = Number.POSITIVE_INFINITY;

  /** @param hasher with the log's key. @param fault told of what is wrong with an event. */
  constructor(hasher: DidHasher, fault: (code: ProblemCode, event: number, detail: string) => void) {
    this.#hasher = new SubjectHasher(hasher);
    this.#fault = fault;
  }

  /**
   * @param subjects of its block; undefined when that has none.
   * @param commit undefined for an event that is none.
   */
  check(
    subjects: SubjectColumns | undefined,
    event: number,
    timeUs: number,
    commit: CommitText | undefined,
  ): void {
    const path = subjects?.path[event] ?? noPath;
    const subjectHashes = subjects === undefined ? nothing : subjectHashesOf(subjects, event);
    if (path !== noPath) this.#firstUs = Math.min(this.#firstUs, timeUs);
    if (commit !== undefined && path !== noPath) {
      // The text of a deletion need not have all of the path, and has no record.
      if (commit.operation !== 'delete') this.#checkRecord(path, subjectHashes, event, commit);
      return;
    }
    if (subjectHashes.length > 0) this.#fault('event_subjects', event, 'it has subjects, and no record');
    if (commit !== undefined ? timeUs > this.#firstUs : path !== noPath) {
      const [has, is] = commit === undefined ? ['a path', 'no commit'] : ['no path', 'a commit'];
      this.#fault('event_path', event, `its column has ${has}, and it is ${is}`);
    }
  }

  #checkRecord(
    path: number,
    subjectHashes: Uint32Array,
    event: number,
    { collection, rkey, record }: CommitText,
  ): void {
    const text = Buffer.from(`${collection}/${rkey}`);
    if (this.#hasher.pathOf(text, 0, text.length) !== path)
      this.#fault('event_path', event, `the column is not the hash of its path ${text}`);
    const expected = this.#subjectsIn(record);
    if (expected === undefined) return;
    const found = new Set<string>();
    for (let at = 0; at < subjectHashes.length; at += subjectInts)
      found.add(subjectHashes.subarray(at, at + subjectInts).join());
    const count = subjectHashes.length / subjectInts;
    const isSame = count === found.size && [...found].every((subject) => expected.has(subject));
    if (isSame && count === Math.min(expected.size, subjectsOfEventMax)) return;
    const detail = `the column has ${count}, which are not the ${expected.size} of its record`;
    this.#fault('event_subjects', event, detail);
  }

  /** Undefined when the text does not say what one of them was. A record may be nested deeper than calls may be. */
  #subjectsIn(record: unknown): Set<string> | undefined {
    const hasher = this.#hasher;
    const found = new Set<string>();
    const left = [record];
    while (left.length > 0) {
      const value = left.pop();
      if (typeof value === 'object' && value !== null) {
        for (const child of Object.values(value)) left.push(child);
      } else if (typeof value === 'string' && /^(did:|at:\/\/)/.test(value)) {
        if (value.includes(replacement)) return undefined;
        const text = Buffer.from(value);
        if (mayBeSubject(text, 0, text.length) && hasher.read(text, 0, text.length))
          found.add(`${hasher.didLow},${hasher.didHigh},${hasher.path}`);
      }
    }
    return found;
  }
}
