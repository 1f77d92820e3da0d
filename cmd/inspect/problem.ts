// What can be wrong with a log, by name, and the list of what was found. The names are the closed list that operators
// search for and tests count; finding problems is the checks' (log-check.ts and those beside it).

import { printable } from '../../lib/text.ts';
import type { DatabaseName } from './reader.ts';

/** Every name, with what it says. */
export const problemMeanings = {
  description_damaged: 'format and DID hash key are missing or make no sense',
  key_unknown: 'a key that a log does not have',
  read_failed: 'LevelDB cannot read one of its tables: blocks in it are lost',

  head_missing: 'a block without a head',
  head_damaged: 'a head with a wrong checksum, version or length',
  key_mismatch: 'a head under a key of another time',
  columns: 'columns that contradict each other, or the head',
  time_order: 'times that do not rise within a block',

  json_missing: 'no JSON part',
  json_checksum: 'a JSON part with a wrong length or checksum',
  json_undecodable: 'a JSON part that does not decompress',
  json_length: 'a JSON part that is not as long as its columns say',
  json_message: 'a WebSocket text message that does not fit its columns',
  json_text: 'an event that is no JSON object in UTF-8',
  event_time: 'an event with another time_us than its column',
  event_did: 'an event with another DID than its hash',
  event_kind: 'an event with another kind or operation than its column',
  event_collection: 'an event with another collection than its column',

  zstd_missing: 'no zstd part',
  zstd_checksum: 'a zstd part with a wrong length or checksum',
  zstd_length: 'a zstd part that is not as long as its columns say',
  zstd_message: 'a WebSocket binary message that does not fit its columns',
  zstd_undecodable: 'a zstd frame that does not decompress with the dictionary',
  zstd_content: 'a zstd frame that holds something else than the JSON',

  subjects_missing: 'no part with what its events point at, though its head has one',
  subjects_damaged: 'a part with what events point at of a wrong length, checksum or count',
  subjects_excess: 'a part with what events point at, though its head has none',
  event_path: 'an event with another path than the hash in its column',
  event_subjects: 'an event whose record points at something else than its column says',

  block_order: 'a block that does not come after the one before it',
  block_gap: 'a block that names another one than the one before it: those between are lost',
  block_totals: 'a block whose running totals are not the sum of what is before it',
  segment_link: 'a block or segment index that names another segment than the one before it',
  segment_missing: 'a segment without its index',
  segment_damaged: 'a segment index with a wrong checksum',
  segment_blocks: 'a segment index that describes other blocks than those before it',
  segment_denies: 'a segment index by which a filtered replay misses events',
  segment_excess: 'a segment index that names collections which its blocks do not have',

  without_collection_missing: 'no part with the events without a collection of a segment that has some',
  without_collection_damaged: 'such a part that cannot be read',
  without_collection_events: 'such a part with other events than its segment has',

  segment_created: 'a segment index that says other times than those at which events were created',
  filter_missing: 'a segment without the filter of what its blocks point at',
  filter_damaged: 'a filter of what blocks point at with a wrong checksum',

  coverage_damaged: 'a row of the coverage ledger with a wrong checksum or form',
  coverage_excess: 'a row of the coverage ledger behind the newest block of the store',

  journal_overlap: 'a journal block that is neither in the store nor after it',
  journal_gap: 'a journal block that names another one than the one before it',
  journal_lost: 'events that the journal has and the store should have',
} as const;
export type ProblemCode = keyof typeof problemMeanings;

/** One thing that is wrong. */
export interface Problem {
  readonly code: ProblemCode;
  readonly where: DatabaseName | 'log';
  /** Key of the block in µs; 0 for the log as a whole. */
  readonly timeUs: number;
  readonly detail: string;
}

/** Characters of a detail that are kept: it may quote what strangers wrote. */
const detailCharactersMax = 300;
/** Problems listed, by default; those beyond are only counted. */
const listedMaxDefault = 1000;

/** Gathers problems: the first ones as they are, and how many of each name. */
export class ProblemList {
  /** All that were found. */
  total = 0;
  readonly listed: Problem[] = [];
  readonly counts = new Map<ProblemCode, number>();
  readonly #listedMax: number;

  /** @param listedMax problems that are kept with their details. */
  constructor(listedMax: number = listedMaxDefault) {
    this.#listedMax = listedMax;
  }

  report(code: ProblemCode, where: Problem['where'], timeUs: number, detail: string): void {
    this.total++;
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
    if (this.listed.length >= this.#listedMax) return;
    this.listed.push({ code, where, timeUs, detail: printable(detail, detailCharactersMax) });
  }
}

/** One line about a problem: where, its name, what exactly. */
export function problemLine({ code, where, timeUs, detail }: Problem): string {
  const found = where === 'log' ? 'log' : `${where === 'journal' ? 'journal ' : ''}block ${timeUs}`;
  return `${found}: ${code}: ${detail}`;
}

/** What an error says about the damage, without its advice to a running daemon. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.split(': the log is damaged')[0];
}
