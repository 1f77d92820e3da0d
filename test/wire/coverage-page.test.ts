import { describe, expect, test } from 'vitest';
import { type CoverageRow, coverageMeanings, coverageReasons } from '../../lib/event/coverage.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { coveragePage, isCoverageFault, readCoverageQuery } from '../../lib/wire/coverage-page.ts';

const nowUs = 1_780_000_000_000_000;

function rowAt(toUs: number): CoverageRow {
  return { reason: 'relay_gap', relay: 'relay.test', fromUs: toUs - 5, toUs, fromSeq: 3, count: 1 };
}

function logOf(places: readonly number[], lastTimeUs: number) {
  const coverage = new CoverageLedger();
  coverage.add(places.map(rowAt));
  return { oldestUs: 100, lastTimeUs, coverage };
}

describe('a request', () => {
  test.each([
    ['', { afterUs: 0, throughUs: Number.MAX_SAFE_INTEGER, limit: 100 }],
    ['cursor=200&until=300&limit=7', { afterUs: 199, throughUs: 299, limit: 7 }],
    [
      'cursor=1779999999&cursor=4',
      { afterUs: 1_779_999_998_999_999, throughUs: Number.MAX_SAFE_INTEGER, limit: 100 },
    ],
    [
      'cursor=9000000000000000',
      { afterUs: 8_999_999_999_999_999, throughUs: Number.MAX_SAFE_INTEGER, limit: 100 },
    ],
    [
      'cursor=x',
      {
        reason: 'bad_cursor',
        status: 400,
        body: 'invalid cursor: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970',
      },
    ],
    [
      'until=1e9',
      {
        reason: 'bad_until',
        status: 400,
        body: 'invalid until: 1e9: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970',
      },
    ],
    ['limit=0', { reason: 'bad_limit', status: 400, body: 'invalid limit: 0: give a number from 1 to 1000' }],
    [
      'limit=1001',
      { reason: 'bad_limit', status: 400, body: 'invalid limit: 1001: give a number from 1 to 1000' },
    ],
  ])('%s', (query, expected) => {
    expect(readCoverageQuery(query, nowUs)).toEqual(expected);
  });
});

test('pages joined by their cursors have every row once, whatever the limit, and later rows come after the last', () => {
  const random = new SeededRandom('1', 'coverage');
  for (let round = 0; round < 200; round++) {
    const places: number[] = [];
    for (let at = 0; at < 20; at++) places.push((places.at(-1) ?? 100) + 1 + Math.floor(random.float() * 9));
    const log = logOf(places, (places.at(-1) as number) + Math.floor(random.float() * 3));
    const seen: number[] = [];
    let cursor = 0;
    for (let more = true; more; ) {
      const asked = readCoverageQuery(`cursor=${cursor}&limit=${1 + Math.floor(random.float() * 6)}`, nowUs);
      if (isCoverageFault(asked)) throw new Error(asked.body);
      const page = coveragePage(log, asked);
      seen.push(...page.rows.map(({ to_us }) => to_us));
      ({ more, cursor } = page);
    }
    expect(seen).toEqual(places);
    expect(cursor).toBe(Math.max(log.lastTimeUs, places.at(-1) as number) + 1);
  }
});

test('a page says what the log covers, and what each row means', () => {
  const page = coveragePage(logOf([150], 200), { afterUs: 0, throughUs: 1000, limit: 1 });
  expect(JSON.parse(JSON.stringify(page))).toEqual({
    oldest_us: 100,
    newest_us: 200,
    complete_from_us: 100,
    rows: [
      {
        reason: 'relay_gap',
        relay: 'relay.test',
        from_us: 145,
        to_us: 150,
        from_seq: 3,
        count: 1,
        missing: true,
        repeated: false,
      },
    ],
    more: false,
    cursor: 201,
  });
  expect(Object.keys(coverageMeanings)).toEqual([...coverageReasons, 'expired']);
});
