// The signed commit object, in place: where its fields are, and the bytes that were signed, which are the object without its
// `sig`, as DAG-CBOR. An object of the one canonical form needs no encoder for that: the entry is cut out and the map's head
// counts one less. Any other is left alone. Whether the signature is right is signature.ts.

import { CborCursor, majors, matchesAscii } from '../decode/cbor-cursor.ts';
import { isCommitObject } from '../decode/commit-object.ts';
import { isTreeLink, linkBytes, linkHeadBytes } from './tree-link.ts';

/** How an object was read. `odd` is a commit object in a form that is not looked into, `bad` is none. */
export type CommitForm = 'canonical' | 'odd' | 'bad';

/** Head of a map of six entries, and of five. */
const mapOfSix = 0xa6;
const mapOfFive = 0xa5;
/** `version` and 3, the repository format that is checked. 2 had the same fields; none is known to be left. */
const versionEntry = '\x67version\x03';
const scratchBytes = 1024;

/** One commit object at a time. Keeps its bytes, and the spans are offsets into them, until the next `read`. */
export class CommitView {
  bytes: Uint8Array = new Uint8Array(0);
  didStart = 0;
  didEnd = 0;
  revStart = 0;
  revEnd = 0;
  sigStart = 0;
  sigEnd = 0;
  /** The CID of the tree's root: {@link linkBytes} from here. */
  dataAt = 0;
  #start = 0;
  #end = 0;
  #sigEntryStart = 0;
  #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly #cursor = new CborCursor();

  /** Reads `bytes[start, end)`. */
  read(bytes: Uint8Array, start: number, end: number): CommitForm {
    this.bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#cursor.open(bytes, start, end);
    if (this.#readCanonical()) return 'canonical';
    return isCommitObject(this.#cursor, bytes, start, end) ? 'odd' : 'bad';
  }

  /** The signed bytes: valid until the next call. */
  signedBytes(): Uint8Array {
    const count = this.#end - this.#start - (this.sigEnd - this.#sigEntryStart);
    if (count > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(count * 2);
    const head = this.#sigEntryStart - this.#start;
    this.#scratch.set(this.bytes.subarray(this.#start, this.#sigEntryStart));
    this.#scratch.set(this.bytes.subarray(this.sigEnd, this.#end), head);
    this.#scratch[0] = mapOfFive;
    return this.#scratch.subarray(0, count);
  }

  /** The signature, as it lies in the object. */
  signature(): Uint8Array {
    return this.bytes.subarray(this.sigStart, this.sigEnd);
  }

  /** Reads the six fields in the order that DAG-CBOR gives them, each in its shortest form. */
  #readCanonical(): boolean {
    const cursor = this.#cursor;
    if (cursor.at >= cursor.end || this.bytes[cursor.at++] !== mapOfSix) return false;
    if (!this.#key('\x63did') || !this.#sized(majors.text)) return false;
    this.didStart = cursor.at;
    this.didEnd = cursor.at += cursor.argument;
    if (!this.#key('\x63rev') || !this.#sized(majors.text)) return false;
    this.revStart = cursor.at;
    this.revEnd = cursor.at += cursor.argument;
    this.#sigEntryStart = cursor.at;
    if (!this.#key('\x63sig') || !this.#sized(majors.bytes)) return false;
    this.sigStart = cursor.at;
    this.sigEnd = cursor.at += cursor.argument;
    if (!this.#key('\x64data') || !isTreeLink(this.bytes, cursor.at, cursor.end)) return false;
    this.dataAt = cursor.at + linkHeadBytes;
    cursor.at += linkHeadBytes + linkBytes;
    if (!this.#key('\x64prev') || !this.#passPrev()) return false;
    return this.#key(versionEntry) && cursor.at === cursor.end;
  }

  #passPrev(): boolean {
    const cursor = this.#cursor;
    if (cursor.takeNull()) return true;
    if (!isTreeLink(this.bytes, cursor.at, cursor.end)) return false;
    cursor.at += linkHeadBytes + linkBytes;
    return true;
  }

  /** Passes that text. */
  #key(text: string): boolean {
    const cursor = this.#cursor;
    if (text.length > cursor.end - cursor.at || !matchesAscii(this.bytes, cursor.at, text)) return false;
    cursor.at += text.length;
    return true;
  }

  /** Reads a head of that type in its shortest form, whose value is there whole. */
  #sized(major: number): boolean {
    const cursor = this.#cursor;
    const headAt = cursor.at;
    if (!cursor.sized(major)) return false;
    const { argument } = cursor;
    const shortest = argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x1_0000 ? 3 : 5;
    return cursor.at - headAt === shortest;
  }
}
