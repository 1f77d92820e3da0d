// The readers of what strangers send, alone and many thousand times a second: none throws, each finds what a plain reader finds,
// and none takes longer than in proportion to the bytes. FUZZ_SECONDS, FUZZ_SEED, FUZZ_FROM and FUZZ_COUNT choose the run.

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { expect, test } from 'vitest';
import { isInt64, parseCursor, positionOfCursor } from '../../lib/event/cursor.ts';
import { isDid } from '../../lib/event/did.ts';
import { isNsid } from '../../lib/event/nsid.ts';
import { isSubject } from '../../lib/event/subject.ts';
import { ClientAddresses } from '../../lib/http/client-address.ts';
import { pathOf, queryOf } from '../../lib/http/routes.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { isCoverageFault, readCoverageQuery } from '../../lib/wire/coverage-page.ts';
import { isDocumentFault, readFilterDocument } from '../../lib/wire/filter-document.ts';
import { JsonReader } from '../../lib/wire/json-reader.ts';
import { jsonSyntaxError } from '../../lib/wire/json-syntax.ts';
import { readClientMessage } from '../../lib/wire/options-update.ts';
import { readProofQuery } from '../../lib/wire/proof-query.ts';
import { eachQueryPair } from '../../lib/wire/query-pairs.ts';
import { isSubscribeFault, parseSubscribeQuery } from '../../lib/wire/subscribe-query.ts';
import { isTextFault, readEventStream, readPull } from '../../lib/wire/text-query.ts';
import { growth, linearGrowthMax } from '../support/time-ratio.ts';
import { readFrames } from './frame-model.ts';
import { query } from './http-inputs.ts';
import { mutate } from './mutation.ts';
import {
  asPlain,
  isPlainDid,
  isPlainInt64,
  isPlainNsid,
  isPlainSubject,
  type PlainJson,
  type PlainWanted,
  plainDocument,
  plainFilter,
  plainJson,
  plainMessage,
  plainPairs,
  textKinds,
} from './plain-readers.ts';
import { runOptions } from './run.ts';
import { socketReading } from './socket-reading.ts';
import { anyText, clientMessage, collection, did, filterJson, json, number, subject } from './vocabulary.ts';
import { endOfMessage, frameLimits, frames } from './websocket-inputs.ts';

/** Of the whole, for all readers together; the rest is for daemons. */
const share = 0.25;
const nowUs = 1_790_000_000_000_000;

/** Each reads one input and compares; what it throws is a failure. */
const readers: Readonly<Record<string, (random: SeededRandom) => void | Promise<void>>> = {
  words(random) {
    const text = mutatedText(random, random.pick([did, collection, subject, number, anyText])(random));
    expect([isDid(text), isNsid(text), isSubject(text), isInt64(text)]).toEqual([
      isPlainDid(text),
      isPlainNsid(text),
      isPlainSubject(text),
      isPlainInt64(text),
    ]);
    const cursor = parseCursor(text);
    if (cursor === undefined) return;
    const positionUs = positionOfCursor(cursor, nowUs);
    expect(
      positionUs === undefined || (positionUs >= 0 && positionUs < nowUs && Number.isSafeInteger(positionUs)),
    ).toBe(true);
  },

  queries(random) {
    const text = mutatedText(random, query(random));
    const pairs: [string, string][] = [];
    eachQueryPair(text, (name, value) => pairs.push([name, value]));
    expect(pairs).toEqual(plainPairs(text));
    const asked = parseSubscribeQuery(text, random.pick([undefined, 'zstd', 'gzip, zstd']));
    const first = (name: string): string => pairs.find(([one]) => one === name)?.[1] ?? '';
    const wanted: PlainWanted = Object.fromEntries(
      wantedNames.map((name) => [name, pairs.filter(([one]) => one === name).map(([, value]) => value)]),
    );
    const filter = plainFilter(wanted, first('maxMessageSizeBytes'), 10_000);
    if (isSubscribeFault(asked)) {
      const isWrong =
        filter === undefined || asked.reason === 'bad_dictionary' || !isPlainInt64(first('cursor'));
      expect(isWrong, asked.body).toBe(true);
    } else expect(asPlain(asked.filter)).toEqual(filter);
    const others = [readEventStream(text, first('cursor'), nowUs, 30_000), readPull(text, () => nowUs)];
    const textFilter = plainFilter(wanted, first('maxMessageSizeBytes'), 10_000, textKinds);
    for (const other of others) if (!isTextFault(other)) expect(asPlain(other.filter)).toEqual(textFilter);
    const page = readCoverageQuery(text, nowUs);
    if (!isCoverageFault(page)) expect(page.limit >= 1 && page.limit <= 1000 && page.afterUs >= 0).toBe(true);
    expect(pathOf(text).includes('?') || queryOf(text).length > text.length).toBe(false);
  },

  json(random) {
    const text = mutatedText(random, json(random, 5));
    const plain = plainJson(text);
    const error = jsonSyntaxError(text);
    expect(error === undefined, error).toBe(plain !== undefined);
    if (plain === undefined) return;
    const reader = new JsonReader(text);
    expect(readValue(reader)).toEqual(plain);
    expect(reader.at).toBe(text.length);
  },

  updates(random) {
    const text = mutatedText(random, clientMessage(random));
    const current = random.int(1000);
    const message = readClientMessage(text, current);
    expect(message.kind === 'update' ? asPlain(message.filter) : message.kind).toEqual(
      plainMessage(text, current),
    );
  },

  documents(random) {
    const text = mutatedText(random, filterJson(random));
    const filter = readFilterDocument(text);
    const plain = plainDocument(text);
    if (isDocumentFault(filter)) expect(plain, filter.problem).toBeUndefined();
    else expect(asPlain(filter)).toEqual(plain);
  },

  addresses(random) {
    const remote = address(random);
    const list = Array.from({ length: random.int(6) }, () => forwarded(random)).join(
      random.pick([',', ', ', ' ,']),
    );
    const counted = addresses.of({
      headers: { 'x-forwarded-for': list },
      socket: { remoteAddress: remote },
    } as unknown as IncomingMessage);
    expect(isIP(counted.replace(/::\/64$/, '::'))).toBeGreaterThan(0);
    // Nobody but a trusted proxy is believed.
    if (isIP(remote) === 4 && !trustedBlocks.check(remote)) expect(counted).toBe(remote);
    if (isIP(remote) === 4 && trustedBlocks.check(remote) && list === '') expect(counted).toBe(remote);
  },

  async frames(random) {
    const bytes = random.chance(0.3) ? mutate(random, frames(random)) : frames(random);
    const pieces = pieced(random, bytes);
    const read = await socketReading(pieces, endOfMessage);
    expect(read).toEqual(readFrames(bytes, frameLimits, endOfMessage));
  },
};

const wantedNames = ['wantedCollections', 'wantedDids', 'wantedKinds', 'wantedOperations', 'wantedSubjects'];
const trusted = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'];
const addresses = new ClientAddresses(trusted);
const trustedBlocks = new BlockList();
trustedBlocks.addSubnet('10.0.0.0', 8);
trustedBlocks.addAddress('192.0.2.7');

function address(random: SeededRandom): string {
  const four = `${random.pick([10, 10, 192, 203])}.${random.pick([0, 1])}.${random.pick([2, 113])}.${random.int(9)}`;
  return random.pick([
    four,
    four,
    `::ffff:${four}`,
    `fd00::${random.int(65_536).toString(16)}`,
    `2001:db8::${random.int(9)}`,
  ]);
}

function forwarded(random: SeededRandom): string {
  const one = address(random);
  return random.pick([
    one,
    one,
    `[${one}]:1`,
    `${one}:80`,
    `${one}%eth0`,
    mutatedText(random, one),
    anyText(random),
  ]);
}

function pieced(random: SeededRandom, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  const most = random.pick([1, 3, 20, 10_000]);
  // A byte at a time is slow.
  const least = bytes.length > 5_000 ? 200 : 1;
  for (let at = 0; at < bytes.length; at += pieces[pieces.length - 1].length)
    pieces.push(Buffer.from(bytes.subarray(at, at + random.between(least, Math.max(least, most)))));
  return pieces;
}

/** One character a byte, as node:http has it, or UTF-8. */
function mutatedText(random: SeededRandom, text: string): string {
  if (random.chance(0.5)) return text.isWellFormed() ? text : text.toWellFormed();
  return mutate(random, Buffer.from(text)).toString();
}

function readValue(reader: JsonReader): PlainJson {
  const kind = reader.kind();
  if (kind === 'string') return { kind, text: reader.string() };
  if (kind === 'number') return { kind, text: reader.spelling() };
  if (kind === 'array') {
    const elements: PlainJson[] = [];
    for (reader.enter(); reader.more(); ) elements.push(readValue(reader));
    return { kind, elements };
  }
  if (kind === 'object') {
    const pairs: [string, PlainJson][] = [];
    for (reader.enter(); reader.more(); ) pairs.push([reader.name(), readValue(reader)]);
    return { kind, pairs };
  }
  reader.skip();
  return { kind };
}

const names = Object.keys(readers);
const options = runOptions(share / (names.length + 1));
const timeoutMs = options.seconds * 1000 + 60_000;

test.each(names)('%s', { timeout: timeoutMs }, async (name) => {
  const { seed, from, count, seconds } = options;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let at = from;
  for (; count === undefined ? performance.now() < endMs : at < from + count; at++) {
    try {
      const read = readers[name](new SeededRandom(seed, `${name} ${at}`));
      if (read instanceof Promise) await read;
    } catch (error) {
      throw new Error(
        `again: FUZZ_SEED=${seed} FUZZ_FROM=${at} FUZZ_COUNT=1 npm run test:fuzz -- -t ${name}`,
        { cause: error },
      );
    }
  }
  const perSecond = ((at - from) * 1000) / (performance.now() - startMs);
  console.log(`fuzz, ${name}: seed ${seed}, ${at - from} inputs from ${from} on, ${Math.round(perSecond)}/s`);
});

/** What reads a text of any length. */
const textReaders: Readonly<Record<string, (text: string) => unknown>> = {
  words: (text) => [isDid(`did:a:${text}`), isNsid(`a.${text}`), isSubject(`at://${text}`), isInt64(text)],
  query: (text) => parseSubscribeQuery(text, undefined),
  pull: (text) => readPull(text, () => nowUs),
  coverage: (text) => readCoverageQuery(text, nowUs),
  proof: (text) => [readProofQuery(text), readProofQuery(`uri=at://did:plc:a/${text}`)],
  update: (text) => readClientMessage(`{"type":"options_update","payload":${text}`, 0),
  updateOfDids: (text) =>
    readClientMessage(`{"type":"options_update","payload":{"wantedDids":[${text}""]}}`, 0),
  document: (text) => readFilterDocument(text),
  documentOfSubjects: (text) => readFilterDocument(`{"wantedSubjects":[${text}""]}`),
  address: (text) =>
    addresses.of({
      headers: { 'x-forwarded-for': text },
      socket: { remoteAddress: '10.0.0.1' },
    } as unknown as IncomingMessage),
};

/** A text of any length: a piece over and over, and what comes behind. */
interface Pump {
  readonly piece: string;
  readonly end: string;
}

/** What is tried in every run, first: what a pattern takes greedily, and what has it give that back one by one. */
const usualPumps: readonly Pump[] = ['0', 'a.', 'did:a:', '%41', 'a=&', '"', ' '].flatMap((piece) =>
  ['', '!'].map((end) => ({ piece, end })),
);

function randomPump(random: SeededRandom): Pump {
  const shortJson = (one: SeededRandom): string => json(one, 2);
  const words = [query, anyText, shortJson, did, collection, subject, filterJson, number];
  const word = mutatedText(random, random.pick(words)(random)).slice(0, 200) || '"';
  const from = random.int(word.length);
  const piece = random.chance(0.3) ? word.slice(from, from + random.between(1, 3)) : word;
  return {
    piece: piece + random.pick(['', '', ',', '&', '"', '.', '[']),
    end: random.chance(0.5) ? '' : random.pick(['!', '"', '\n', '\0', '0', anyText(random)]),
  };
}

/** Characters of the longest text. */
const pumpedCharsMax = 131_072;
const pumpedCharsMin = 64;
/** What the longer one of two that are compared has to take. */
const measuredMsMin = 5;

function msOf(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}

/** How long a text takes long enough to be measured; undefined where the longest is over at once, as most are. */
function measuredChars(read: (chars: number) => unknown): number | undefined {
  // From short ones on: of some patterns the longest would never be over.
  for (let chars = pumpedCharsMin; chars <= pumpedCharsMax; chars *= 2) {
    const isLong = (): boolean => msOf(() => read(chars)) >= measuredMsMin;
    if (isLong() && isLong() && isLong()) return chars;
  }
  return undefined;
}

test('pieces over and over take time in proportion', { timeout: timeoutMs }, () => {
  const { seed, from, count, seconds } = options;
  const endMs = performance.now() + seconds * 1000;
  const isToDo = (at: number): boolean =>
    count === undefined ? at < usualPumps.length || performance.now() < endMs : at < from + count;
  let at = from;
  for (; isToDo(at); at++) {
    const { piece, end } = usualPumps[at] ?? randomPump(new SeededRandom(seed, `pumped ${at}`));
    const pumped = (chars: number): string => piece.repeat(Math.ceil(chars / piece.length)) + end;
    for (const [name, read] of Object.entries(textReaders)) {
      const longest = measuredChars((chars) => read(pumped(chars)));
      if (longest === undefined) continue;
      const measure = (): number =>
        growth(longest / 8, (chars) => {
          const text = pumped(chars);
          return () => read(text);
        });
      let grown = measure();
      // Once may be chance.
      for (let round = 0; round < 3 && grown >= linearGrowthMax; round++) grown = Math.min(grown, measure());
      const again = `FUZZ_SEED=${seed} FUZZ_FROM=${at} FUZZ_COUNT=1, ${name} of ${JSON.stringify(piece)}, ${JSON.stringify(end)}`;
      expect(grown, again).toBeLessThan(linearGrowthMax);
    }
  }
  console.log(
    `fuzz, pumped: seed ${seed}, ${at - from} pieces from ${from} on, ${Object.keys(textReaders).length} readers each`,
  );
});
