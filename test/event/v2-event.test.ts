// Events of the second wire, made from stored JSON: compared with what parsing and writing it anew makes.

import { describe, expect, it } from 'vitest';
import { eventKinds } from '../../lib/event/event.ts';
import { V2EventWriter, v2BytesMore } from '../../lib/event/v2-event.ts';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
const timeUs = 1_780_000_000_000_007;
const record = {
  $type: 'app.bsky.feed.post',
  text: 'a "}}" \\ \u2028 \u{1f600} <b>',
  n: { deep: [1, null, {}] },
};

const stored: Readonly<Record<string, object>> = {
  create: {
    did,
    time_us: timeUs,
    kind: 'commit',
    commit: {
      rev: '3l3qo2vutsw2b',
      operation: 'create',
      collection: 'app.bsky.feed.post',
      rkey: '3l3qo2vuowo2b',
      record,
      cid: 'bafyreidc6sydkkbchcyg62v77wbhzvb2mvytlmsychqgwf2xojjtirmzj4',
    },
  },
  delete: {
    did: 'did:web:odd"\\,"time_us":1',
    time_us: timeUs,
    kind: 'commit',
    commit: { rev: '3l3qo2vutsw2b', operation: 'delete', collection: 'app.bsky.feed.like', rkey: 'x' },
  },
  identity: {
    did,
    time_us: timeUs,
    kind: 'identity',
    identity: { did, handle: 'a.test', seq: 9, time: '2026-05-28T20:26:40.1Z' },
  },
  account: {
    did,
    time_us: timeUs,
    kind: 'account',
    account: { active: false, did, seq: 10, status: 'deactivated', time: '2026-05-28T20:26:40Z' },
  },
  sync: {
    did,
    time_us: timeUs,
    kind: 'sync',
    sync: { blocks: { $bytes: 'AQID' }, did, rev: '3l3qo2vutsw2b', seq: 11, time: '2026-05-28T20:26:40Z' },
  },
};

type Stored = { did: string; time_us: number; kind: string } & Record<string, object>;

function v2Of(event: Stored, time: string): object {
  const { did: account, time_us: seq, kind } = event;
  const inner = kind === 'commit' ? event.commit : { [kind]: event[kind] };
  const $type = `network.bsky.jetstream.subscribeEvents#${kind}`;
  return { $type: 'message', payload: { $type, did: account, seq, time, ...inner } };
}

function written(event: object, at: number, writer = new V2EventWriter()): string {
  const json = Buffer.from(`##${JSON.stringify(event)}##`);
  const out = Buffer.alloc(4096);
  const { kind } = event as Stored;
  const end = writer.write(out, 7, json, 2, json.length - 2, eventKinds[kind as keyof typeof eventKinds], at);
  expect(out.subarray(end).some((byte) => byte !== 0)).toBe(false);
  return out.toString('utf8', 7, end);
}

describe('an event', () => {
  it.each(Object.entries(stored))('%s has the payload of its kind', (_name, event) => {
    expect(JSON.parse(written(event, timeUs))).toEqual(v2Of(event as Stored, '2026-05-28T20:26:40.000007Z'));
  });

  it('keeps the bytes of its record', () => {
    expect(written(stored.create, timeUs)).toContain(`"record":${JSON.stringify(record)},"cid":`);
  });

  it.each(Object.entries(stored))('%s is longer by what filters reckon with', (_name, event) => {
    const { kind } = event as Stored;
    const more = v2BytesMore[eventKinds[kind as keyof typeof eventKinds]];
    expect(Buffer.byteLength(written(event, timeUs))).toBe(Buffer.byteLength(JSON.stringify(event)) + more);
  });

  it('has its time with six digits, whatever second came before', () => {
    const writer = new V2EventWriter();
    for (const at of [timeUs, timeUs + 999_992, timeUs + 999_993, timeUs - 1, 1e15, 1_709_210_096_654_321]) {
      const text = written({ ...stored.identity, time_us: at }, at, writer);
      const { payload } = JSON.parse(text) as { payload: { seq: number; time: string } };
      expect(payload.seq).toBe(at);
      const milliseconds = new Date(Math.floor(at / 1000)).toISOString().slice(0, -1);
      expect(payload.time).toBe(`${milliseconds}${String(at % 1000).padStart(3, '0')}Z`);
    }
  });
});
