// Requests for server-sent events and for lines: what they mean, and what is said about bad ones.

import { describe, expect, it } from 'vitest';
import type { Progress } from '../../lib/fanout/transport.ts';
import { isTextFault, readEventStream, readPull } from '../../lib/wire/text-query.ts';

const nowUs = 1_780_000_000_000_000;
const atTip: Progress = { positionUs: nowUs + 5, newestUs: nowUs + 9, live: false };

function stream(query: string, lastEventId = '') {
  const asked = readEventStream(query, lastEventId, nowUs, 30_000);
  return isTextFault(asked) ? [asked.reason, asked.body] : asked.afterTimeUs;
}

function pull(query: string) {
  const asked = readPull(query, () => nowUs);
  if (isTextFault(asked)) return [asked.reason, asked.body];
  const message = asked.body.progressOf(atTip);
  return { after: asked.afterTimeUs, through: message && JSON.parse(message).time_us };
}

describe('GET /events', () => {
  it.each([
    ['', '', undefined],
    ['cursor=', '', undefined],
    [`cursor=${nowUs}`, '', nowUs - 1],
    ['cursor=1779999999', '', 1_779_999_999_000_000 - 1],
    ['cursor=0', '', 0],
    [`cursor=${nowUs + 1}`, '', undefined],
    [`cursor=${nowUs}`, '1779999999999999', 1_779_999_999_999_999],
    ['cursor=0', `${nowUs}`, nowUs],
    ['cursor=0', `${nowUs + 1}`, undefined],
    ['', '1779999999', 1_779_999_999],
    ['', '-3', 0],
    ['', 'x', ['bad_last_event_id', 'invalid Last-Event-ID: x']],
    [
      'cursor=x',
      '5',
      ['bad_cursor', 'invalid cursor: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970'],
    ],
    ['requireHello=true', '', ['needs_websocket', expect.stringContaining('requireHello needs a WebSocket')]],
    ['compress=true', '', ['needs_websocket', expect.stringContaining('compress needs a WebSocket')]],
    ['compress=true&zstdDictionary=5', '', ['bad_dictionary', expect.any(String)]],
    ['compress=false&requireHello=false', '', undefined],
    ['wantedDids=x', '', ['bad_did', 'invalid subscriber options: invalid DID: x']],
    [
      'wantedDids=alice.example',
      '',
      [
        'bad_did',
        'invalid subscriber options: invalid DID: alice.example: this is a handle, give the DID of the account',
      ],
    ],
    ['limit=5', '', ['bad_limit', 'limit needs an end: this stream has none, /events.ndjson has']],
    ['until=now', '', ['bad_until', 'until needs an end: this stream has none, /events.ndjson has']],
    [
      'wantedCollections[]=app.bsky.feed.post',
      '',
      ['misspelt_name', 'unknown parameter: wantedCollections[]: did you mean wantedCollections?'],
    ],
    ['wanted%44id=did:web:a', '', ['misspelt_name', expect.stringContaining('did you mean wantedDids?')]],
    ['utm_source=x&_=1', '', undefined],
  ])('?%s after %j', (query, lastEventId, expected) => {
    expect(stream(query, lastEventId)).toEqual(expected);
  });

  it('gives positions to those who want no progress, once in a while', () => {
    const asked = readEventStream('', '', nowUs, 30_000);
    if (isTextFault(asked)) throw new Error(asked.body);
    expect(asked.body.progressOf(atTip)).toBe(`: ping\nid: ${nowUs + 5}\n\n`);
    expect(asked.body.progressOf(atTip)).toBe('');
  });
});

describe('GET /events.ndjson', () => {
  const day = 86_400_000_000;
  it.each([
    ['progress=true', { after: 0, through: nowUs }],
    ['', { after: 0, through: '' }],
    ['progress=true&until=', { after: 0, through: nowUs }],
    ['progress=true&until=1779999999', { after: 0, through: 1_779_999_999_000_000 - 1 }],
    [`progress=true&until=${nowUs}&until=1`, { after: 0, through: nowUs - 1 }],
    [`progress=true&until=${nowUs + day}`, { after: 0, through: nowUs }],
    [`progress=true&cursor=${nowUs - day}&until=5`, { after: nowUs - day - 1, through: nowUs - day - 1 }],
    [`progress=true&cursor=${nowUs + day}`, { after: undefined, through: nowUs }],
    [
      'until=x',
      ['bad_until', 'invalid until: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970'],
    ],
    ['limit=0', ['bad_limit', 'invalid limit: 0: give a number from 1 to 1000000']],
    ['limit=1000001', ['bad_limit', expect.any(String)]],
    ['limit=1e3', ['bad_limit', expect.any(String)]],
    ['limit=-1', ['bad_limit', expect.any(String)]],
    ['limit=1000000', { after: 0, through: '' }],
    ['limit=&limit=0', { after: 0, through: '' }],
    ['wantedKinds=x', ['bad_kind', expect.any(String)]],
    ['collections=app.bsky.feed.post', ['misspelt_name', expect.stringContaining('wantedCollections?')]],
    ['compress=true', ['needs_websocket', expect.any(String)]],
  ])('?%s', (query, expected) => {
    expect(pull(query)).toEqual(expected);
  });

  it('has a limit of its own', () => {
    const asked = readPull('', () => nowUs);
    if (isTextFault(asked)) throw new Error(asked.body);
    const batch = Buffer.from('{"time_us":1}\n'.repeat(10_001));
    expect(asked.body.eventsOf(batch)).toHaveLength(batch.length - 14);
  });
});
