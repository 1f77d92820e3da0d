// Walks the CBOR of one record and lays it out as a tape of nodes (simdjson's word for a document that is parsed into one
// flat array), checking everything the atproto data model asks for and ordering map entries on the way: a record that
// is on the tape can be written. One loop, no recursion: a record may be nested as deep as it is long. Called by lib/event
// for records, and by car.ts for archive headers, which are read by the same rules. Writing is record-json.ts.

import { ByteWriter } from '../byte-writer.ts';
import { grow } from '../grow.ts';
import { linkTag, majors } from './cbor-cursor.ts';
import { cidEnd } from './cid.ts';
import { isSha256Cid, type V1OnlyReason } from './data-model.ts';
import { isPlainText } from './json-text.ts';
import { joinChunks, readFloat } from './lenient-cbor.ts';
import { comesAfter, MapOrder, prefixOf } from './map-order.ts';
import { endMap, mapEnds, noteDollarKey } from './special-map.ts';
import {
  keyIsEscaped,
  kindMask,
  mapFlags,
  nodeFields,
  nodeInts,
  nodeKinds,
  noNode,
  type TapeView,
} from './tape-nodes.ts';

/** Longest record, in bytes of CBOR. */
export const recordBytesMax = 1_048_576;
/** Most entries of an array or a map. */
const containerEntriesMax = 131_072;
/** Longest key of a map, in bytes. */
const keyBytesMax = 8192;

const { kind, keyStart, keyEnd, first, second, next, keyPrefix } = nodeFields;
const { hasEscapedKey } = mapFlags;
const usualNodes = 1024;
const breakByte = 0xff;
const undefinedItem = 0xf7;
const dollar = 0x24;
const int32Values = 4_294_967_296;

/** Items still to come in a container of unknown length; it counts down from here and never reaches zero. */
const unknownLength = -1;

/** Holds the nodes of the last record walked. Reused; memory that a huge record took is given back at the next. */
export class RecordTape implements TapeView {
  nodes = new Int32Array(usualNodes * nodeInts);
  /** What spans point into: the bytes that were walked, or a copy in which chunked strings are whole. */
  source: Uint8Array = new Uint8Array(0);
  /** Binary CIDs that stood in the record as text. */
  readonly cids = new ByteWriter(256);
  readonly #joined = new ByteWriter(256);
  readonly #order = new MapOrder();
  #at = 0;
  #end = 0;
  /** The halves of the last argument of eight bytes. */
  #high = 0;
  #low = 0;
  #used = 0;
  #chunked = false;
  /** Why the record is none by the data model, though v1 shows it: the first reason. */
  fault: V1OnlyReason | undefined;

  /**
   * Walks the item at `start`; what follows it in the span is ignored. Node 0 is then its root, a map or null.
   * False when it is no record. `bytes` are kept until the next call.
   */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.nodes.length > usualNodes * nodeInts) this.#giveBack();
    if (this.#walk(bytes, start, end)) return true;
    if (!this.#chunked) return false;
    this.#joined.shrink(256);
    joinChunks(this.#joined, bytes, start, end);
    if (!this.#walk(this.#joined.buffer, 0, this.#joined.length)) return false;
    this.fault ??= 'encoding';
    return true;
  }

  /** Where the nodes end: those of the record lie before it, in the order of its bytes. */
  get end(): number {
    return this.#used;
  }

  #giveBack(): void {
    this.nodes = new Int32Array(usualNodes * nodeInts);
    this.cids.shrink(256);
    this.#joined.shrink(256);
    this.#order.shrink();
  }

  #walk(bytes: Uint8Array, start: number, end: number): boolean {
    this.source = bytes;
    this.cids.length = 0;
    this.#at = start;
    this.#end = end;
    this.#used = 0;
    this.#chunked = false;
    this.fault = undefined;
    if (!this.#item(noNode, noNode, false)) return false;
    const root = this.nodes[kind] & kindMask;
    if (root === nodeKinds.null) this.fault = 'no_map';
    else if (root !== nodeKinds.map || !this.#descend()) return false;
    if (this.#at < end) this.fault ??= 'encoding';
    return true;
  }

  /** Reads all that is in the root map. */
  #descend(): boolean {
    let container = 0;
    let isMap = true;
    let last: number = noNode;
    let left = this.nodes[first];
    for (;;) {
      if (left === 0 || (left < 0 && this.#at < this.#end && this.source[this.#at] === breakByte)) {
        if (left < 0) {
          this.#at++;
          if (unknownLength - left > containerEntriesMax) return false;
        }
        const around = this.nodes[container + second];
        if (left < 0) this.fault ??= 'encoding';
        if (!this.#close(container, last, isMap)) return false;
        if (around === noNode) return (this.nodes[kind] & kindMask) === nodeKinds.map;
        last = container;
        container = around;
        left = this.nodes[container + first];
        isMap = (this.nodes[container + kind] & kindMask) === nodeKinds.map;
        continue;
      }
      left--;
      const node = this.#used;
      if (!this.#item(container, last, isMap)) return false;
      const { nodes } = this;
      last = node;
      const read = nodes[node + kind] & kindMask;
      if (read >= nodeKinds.array) {
        nodes[container + first] = left;
        nodes[node + second] = container;
        container = node;
        isMap = read === nodeKinds.map;
        left = nodes[node + first];
        last = noNode;
      }
    }
  }

  /** Reads one entry of a container: the key in a map, then the value, or of a container its head. */
  #item(container: number, last: number, isMap: boolean): boolean {
    const node = this.#used;
    if (node + nodeInts > this.nodes.length) {
      this.nodes = grow(this.nodes);
    }
    const { nodes } = this;
    this.#used = node + nodeInts;
    if (last !== noNode) nodes[last + next] = node;
    nodes[node + kind] = 0;
    nodes[node + next] = noNode;
    nodes[node + second] = noNode;
    return (!isMap || this.#key(container, last, node)) && this.#value(node, container === noNode);
  }

  #key(container: number, last: number, node: number): boolean {
    const { source, nodes } = this;
    if (this.#at >= this.#end) return false;
    let initial = source[this.#at++];
    // A tag before a key is passed over, as it is by v1.
    if (initial >> 5 === majors.tag) {
      if (this.#argument(initial & 31) < 0 || this.#at >= this.#end) return false;
      initial = source[this.#at++];
      this.fault ??= 'encoding';
    }
    if (initial >> 5 !== majors.text) return false;
    const length = this.#length(initial);
    if (length < 0 || length > keyBytesMax) return false;
    const start = this.#at;
    const end = start + length;
    this.#at = end;
    nodes[node + keyStart] = start;
    nodes[node + keyEnd] = end;
    nodes[node + keyPrefix] = prefixOf(source, start, end);
    if (last !== noNode && !comesAfter(source, nodes[last + keyStart], nodes[last + keyEnd], start, end))
      this.fault ??= 'encoding';
    if (!isPlainText(source, start, end)) {
      nodes[node + kind] = keyIsEscaped;
      nodes[container + kind] |= hasEscapedKey;
    } else if (source[start] === dollar && length >= 5 && length <= 6) {
      noteDollarKey(this, container, node);
    }
    return true;
  }

  /** Reads the argument of a head; -1 when it is cut off or reserved. Above 2^53 it is rounded. */
  #argument(info: number): number {
    if (info < 24) return info;
    const { source } = this;
    const at = this.#at;
    const count = 1 << (info - 24);
    if (info > 27 || count > this.#end - at) return -1;
    this.#at = at + count;
    if (info === 24) return this.#atLeast(24, source[at]);
    if (info === 25) return this.#atLeast(0x100, (source[at] << 8) | source[at + 1]);
    const high = (source[at] << 24) | (source[at + 1] << 16) | (source[at + 2] << 8) | source[at + 3];
    if (info === 26) return this.#atLeast(0x1_0000, high >>> 0);
    if (high === 0) this.fault ??= 'encoding';
    this.#high = high;
    this.#low = (source[at + 4] << 24) | (source[at + 5] << 16) | (source[at + 6] << 8) | source[at + 7];
    return (high >>> 0) * int32Values + (this.#low >>> 0);
  }

  /** What is below `least` would have a shorter head. */
  #atLeast(least: number, value: number): number {
    if (value < least) this.fault ??= 'encoding';
    return value;
  }

  /** Reads the length of text or bytes that must be there whole; -1 when they are not, or come in chunks. */
  #length(initial: number): number {
    const info = initial & 31;
    if (info === 31) this.#chunked = true;
    const length = this.#argument(info);
    return length > this.#end - this.#at ? -1 : length;
  }

  #value(node: number, isRoot: boolean): boolean {
    if (this.#at >= this.#end) return false;
    let initial = this.source[this.#at++];
    if (initial >> 5 === majors.tag) {
      const tag = this.#argument(initial & 31);
      if (tag < 0 || this.#at >= this.#end) return false;
      initial = this.source[this.#at++];
      // As v1 does: a tag on the root is passed over, any other must be a link's.
      if (!isRoot) return tag === linkTag && this.#link(node, initial);
      this.fault ??= 'encoding';
    }
    switch (initial >> 5) {
      case majors.unsigned:
      case majors.negative:
        return this.#integer(node, initial);
      case majors.bytes:
        return this.#span(node, initial, nodeKinds.bytes);
      case majors.text:
        return this.#span(node, initial, nodeKinds.text);
      case majors.array:
      case majors.map:
        return this.#container(node, initial);
      case majors.simple:
        return this.#simple(node, initial);
      default:
        return false;
    }
  }

  #span(node: number, initial: number, is: number): boolean {
    const length = this.#length(initial);
    if (length < 0) return false;
    const { nodes } = this;
    nodes[node + kind] |= is;
    nodes[node + first] = this.#at;
    this.#at += length;
    nodes[node + second] = this.#at;
    return true;
  }

  #link(node: number, initial: number): boolean {
    if (initial >> 5 !== majors.bytes || !this.#span(node, initial, nodeKinds.link)) return false;
    const { nodes, source } = this;
    const start = nodes[node + first];
    const end = nodes[node + second];
    nodes[node + first] = start + 1;
    if (start >= end || source[start] !== 0 || cidEnd(source, start + 1, end) !== end) return false;
    if (!isSha256Cid(source, start + 1, end)) this.fault ??= 'link';
    return true;
  }

  #container(node: number, initial: number): boolean {
    const isMap = initial >> 5 === majors.map;
    const unknown = (initial & 31) === 31;
    const count = unknown ? unknownLength : this.#argument(initial & 31);
    if (!unknown && (count < 0 || count > containerEntriesMax || count > this.#end - this.#at)) return false;
    this.nodes[node + kind] |= isMap ? nodeKinds.map : nodeKinds.array;
    this.nodes[node + first] = count;
    return true;
  }

  #integer(node: number, initial: number): boolean {
    const value = this.#argument(initial & 31);
    if (value < 0) return false;
    const wide = (initial & 31) === 27;
    let high = wide ? this.#high : 0;
    let low = wide ? this.#low : value | 0;
    if (initial >> 5 === majors.negative) {
      // Below -2^63 there is nothing, except that v1 reads the lowest value CBOR can write as zero.
      if (high < 0 && (high & low) !== -1) return false;
      const wraps = high < 0;
      if (wraps) this.fault ??= 'integer';
      high = wraps ? 0 : ~high;
      low = wraps ? 0 : ~low;
    } else if (high < 0 && wide) {
      this.fault ??= 'integer';
    }
    this.#setInteger(node, high, low);
    return true;
  }

  #setInteger(node: number, high: number, low: number): void {
    const { nodes } = this;
    nodes[node + kind] |= nodeKinds.integer;
    nodes[node + first] = high;
    nodes[node + second] = low;
  }

  /** Booleans and null, and floats if they are integers that fit 64 bits. */
  #simple(node: number, initial: number): boolean {
    const { nodes } = this;
    switch (initial) {
      case 0xf4:
        nodes[node + kind] |= nodeKinds.false;
        return true;
      case 0xf5:
        nodes[node + kind] |= nodeKinds.true;
        return true;
      case 0xf6:
      case 0xf7:
        nodes[node + kind] |= nodeKinds.null;
        if (initial === undefinedItem) this.fault ??= 'encoding';
        return true;
    }
    const info = initial & 31;
    const at = this.#at;
    if (info < 25 || this.#argument(info) < 0) return false;
    const value = readFloat(this.source, at, this.#at);
    if (Math.floor(value) !== value || value < -(2 ** 63) || value >= 2 ** 63) return false;
    this.fault = 'float';
    const high = Math.floor(value / int32Values);
    this.#setInteger(node, high, value - high * int32Values);
    return true;
  }

  /** Ends a container: links its children in order of output, and turns maps that stand for something else into it. */
  #close(container: number, last: number, isMap: boolean): boolean {
    const { nodes } = this;
    nodes[container + first] = last === noNode ? noNode : container + nodeInts;
    if (!isMap || last === noNode) return true;
    const count = this.#order.collect(nodes, container + nodeInts);
    const end = endMap(this, container, count);
    if (end !== mapEnds.ordinary) return end === mapEnds.special;
    const isPlain = (nodes[container + kind] & hasEscapedKey) === 0;
    if (!this.#order.sort(count, nodes, this.source, isPlain)) return false;
    nodes[container + first] = this.#order.relink(count);
    return true;
  }
}
