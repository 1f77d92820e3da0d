// Synthetic events and blocks for tests of the log and of delivery: seeded, so that a failure can be repeated.

import type { ByteWriter } from '../../lib/byte-writer.ts';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import {
  type EventKind,
  eventKinds,
  type Operation,
  operationNames,
  operations,
} from '../../lib/event/event.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { tidOf } from '../../lib/event/tid.ts';
import type { Block } from '../../lib/log/block.ts';
import { BlockBuilder, type EventCompressor } from '../../lib/log/block-builder.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';

/** Deterministic numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  const random = new SeededRandom(String(seed), 'fixture');
  return () => random.float();
}

/** A compressor whose frames can be told apart and reversed: `z` and the JSON's bytes, the last one first. */
export const fakeCompressor: EventCompressor = {
  dictionaryId: 7,
  compress(source, start, end, out: ByteWriter) {
    out.byte(0x7a);
    out.bytes(source, start, end);
    out.buffer.subarray(out.length - (end - start), out.length).reverse();
  },
};

export function unfake(frame: Uint8Array): string {
  return Buffer.from(frame.subarray(1)).reverse().toString();
}

export const collections = [
  'app.bsky.feed.like',
  'app.bsky.feed.post',
  'app.bsky.graph.follow',
  'com.example.rare',
];

export interface SampleEvent {
  readonly did: string;
  readonly time_us: number;
  readonly kind: 'commit' | 'identity' | 'account';
  readonly commit?: SampleCommit;
}

interface SampleCommit {
  readonly collection: string;
  readonly operation: string;
  readonly rkey: string;
  readonly text: string;
  /** What the record points at: DIDs and at-uris. A deletion has none. */
  readonly record?: { readonly subjects: readonly string[] };
}

/** Accounts of the sample, all of which point at each other. */
export const sampleDids = Array.from({ length: 20 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
const sampleRkeys = ['3kaaaaaaaaaa2', '3kaaaaaaaaab2', 'self'];
const sampleUris = sampleDids.flatMap((did) =>
  sampleRkeys.map((rkey) => `at://${did}/app.bsky.feed.post/${rkey}`),
);

/** Builds blocks of random events, and remembers each event as an oracle would. */
export class SampleLog {
  readonly builder: BlockBuilder;
  readonly events: SampleEvent[] = [];
  /** What each event points at, by its `time_us`; of a deletion what its record pointed at. */
  readonly subjects = new Map<number, readonly string[]>();
  /** Records that are there, by DID and path, with what they point at. */
  readonly #records = new Map<string, { did: string; commit: SampleCommit }>();
  readonly #random: () => number;
  readonly #textBytesMax: number;
  readonly #deletionsPerBlockMax: number;
  /** Deletions of the open block. */
  #deletions = 0;
  #seq = 0;

  constructor(
    random: () => number,
    options: {
      didHashKey?: Uint8Array;
      lastTimeUs?: number;
      nowMs?: () => number;
      textBytesMax?: number;
      /** From there on what would be a deletion is an update. */
      deletionsPerBlockMax?: number;
    } = {},
  ) {
    this.#random = random;
    this.#textBytesMax = options.textBytesMax ?? 70_000;
    this.#deletionsPerBlockMax = options.deletionsPerBlockMax ?? Number.POSITIVE_INFINITY;
    const clock = new Clock(options.lastTimeUs ?? 0, options.nowMs);
    this.builder = new BlockBuilder(clock, new DidHasher(options.didHashKey ?? new Uint8Array(8)), new Map());
  }

  /** @param before called before each event. */
  block(count: number, before: () => void = () => {}): Block {
    this.#deletions = 0;
    for (let made = 0; made < count; made++) {
      before();
      this.#event();
    }
    this.builder.advance('relay.test', ++this.#seq);
    return this.builder.seal(fakeCompressor);
  }

  #event(): void {
    const random = this.#random;
    const time_us = this.builder.begin();
    const kind = pick(random, ['commit', 'commit', 'commit', 'identity', 'account'] as const);
    const made = kind === 'commit' ? this.#commit(time_us) : undefined;
    const did = made?.did ?? pick(random, sampleDids);
    const commit = made?.commit;
    const event: SampleEvent = commit === undefined ? { did, time_us, kind } : { did, time_us, kind, commit };
    this.builder.writer.ascii(JSON.stringify(event));
    for (const subject of commit?.record?.subjects ?? []) {
      const bytes = Buffer.from(subject);
      this.builder.subject(bytes, 0, bytes.length);
    }
    const path = commit === undefined ? '' : `${commit.collection}/${commit.rkey}`;
    const source = Buffer.from(`${did}${path}`);
    const operation = commit === undefined ? 0 : operationNames.indexOf(commit.operation as 'create');
    this.builder.end(
      eventKinds[kind] as EventKind,
      operation as Operation,
      source,
      0,
      did.length,
      did.length,
      did.length + (commit?.collection.length ?? 0),
      source.length,
    );
    this.events.push(event);
  }

  /** A record is made or changed, or one that is there or never was is deleted. */
  #commit(time_us: number): { did: string; commit: SampleCommit } {
    const random = this.#random;
    const text = 'x'.repeat(Math.floor(random() ** 8 * this.#textBytesMax));
    const picked = pick(random, operationNames.slice(1));
    const isDeletion = picked === 'delete' && this.#deletions < this.#deletionsPerBlockMax;
    if (isDeletion) this.#deletions++;
    const operation = picked === 'delete' && !isDeletion ? 'update' : picked;
    const known =
      operation === 'create' || random() < 0.3 ? undefined : pick(random, [...this.#records.values()]);
    const did = known?.did ?? pick(random, sampleDids);
    const collection = known?.commit.collection ?? pick(random, collections);
    // Most keys are the time; some are much older, or none.
    const rkey = known?.commit.rkey ?? (random() < 0.7 ? tidOf(time_us, 1) : pick(random, sampleRkeys));
    const key = `${did}/${collection}/${rkey}`;
    if (operation === 'delete') {
      this.subjects.set(time_us, this.#records.get(key)?.commit.record?.subjects ?? []);
      this.#records.delete(key);
      return { did, commit: { collection, operation, rkey, text } };
    }
    const subjects = Array.from({ length: Math.floor(random() * 4) }, () => {
      const subject = pick(random, sampleDids);
      return random() < 0.5 ? subject : `at://${subject}/app.bsky.feed.post/${pick(random, sampleRkeys)}`;
    });
    const commit = { collection, operation, rkey, text, record: { subjects } };
    this.subjects.set(time_us, subjects);
    this.#records.set(key, { did, commit });
    return { did, commit };
  }
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)];
}

/**
 * The rules of filters, written plainly: what the fast path is compared with.
 * @param subjects what the event points at; for deletions that have been resolved, see `SampleLog.subjects`.
 */
export function matches(
  filter: Filter,
  event: SampleEvent,
  subjects: readonly string[] = event.commit?.record?.subjects ?? [],
): boolean {
  const collection = event.commit?.collection;
  if (collection !== undefined && filter.collections.size + filter.prefixes.length > 0) {
    if (
      !filter.collections.has(collection) &&
      !filter.prefixes.some((prefix) => collection.startsWith(prefix))
    )
      return false;
  }
  if (filter.dids.size > 0 && !filter.dids.has(event.did)) return false;
  if (filter.subjects.size > 0) {
    const wanted = (subject: string): boolean =>
      filter.subjects.has(subject) || filter.subjects.has(/^at:\/\/([^/]*)/.exec(subject)?.[1] ?? '');
    if (!subjects.some(wanted)) return false;
  }
  if (filter.kinds !== 0 && (filter.kinds & (1 << eventKinds[event.kind])) === 0) return false;
  const operation = event.commit?.operation as 'create' | 'update' | 'delete' | undefined;
  if (filter.operations !== 0 && operation !== undefined) {
    if ((filter.operations & (1 << operations[operation])) === 0) return false;
  }
  return filter.maxMessageSizeBytes === 0 || JSON.stringify(event).length <= filter.maxMessageSizeBytes;
}

export function randomFilter(random: () => number): Filter {
  const some = <T>(from: readonly T[], chance: number): T[] => from.filter(() => random() < chance);
  return {
    collections: new Set(random() < 0.5 ? some(collections, 0.4) : []),
    prefixes: random() < 0.3 ? some(['app.bsky.feed.', 'app.bsky.', 'com.'], 0.5) : [],
    dids: new Set(random() < 0.4 ? some(sampleDids, 0.2) : []),
    subjects: new Set(random() < 0.3 ? [...some(sampleDids, 0.1), ...some(sampleUris, 0.1)] : []),
    maxMessageSizeBytes: random() < 0.3 ? Math.floor(random() * 2000) : 0,
    kinds: random() < 0.2 ? Math.floor(random() * 8) : 0,
    operations: random() < 0.2 ? 2 * Math.floor(random() * 8) : 0,
  };
}

/** The payloads of consecutive WebSocket frames as a client would see them; throws on a cut frame. */
export function payloadsOf(bytes: Uint8Array, firstByte: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== firstByte) throw new Error(`byte ${at} is ${bytes[at]}, not the start of a frame`);
    let length = bytes[at + 1];
    let header = 2;
    if (length === 126) {
      length = view.getUint16(at + 2);
      header = 4;
    } else if (length === 127) {
      length = Number(view.getBigUint64(at + 2));
      header = 10;
    }
    if (at + header + length > bytes.length) throw new Error(`frame at ${at} is cut off`);
    payloads.push(bytes.subarray(at + header, at + header + length));
    at += header + length;
  }
  return payloads;
}
