// Damages to one block of the store: to its head, its columns and its two copies of every event.

import { expect } from 'vitest';
import { blockKey, parts } from '../../../lib/log/block-format.ts';
import { at, type Damage, meaning } from './damage.ts';
import { flip, type OpenBlock, type RawDatabase } from './raw-log.ts';
import { withRealFrames } from './sample-log.ts';

/** The first byte of event `event`'s payload in the JSON messages. */
function payloadStart({ json, index }: OpenBlock, event: number): number {
  return json.indexOf('{', event === 0 ? 0 : index.jsonEnd[event - 1]);
}

/** Changes the text of the last event, without changing its length. */
function retext(block: OpenBlock, from: string, to: string): void {
  const start = block.json.indexOf(from, payloadStart(block, block.index.count - 1));
  expect(start).toBeGreaterThan(0);
  expect(to.length).toBe(from.length);
  block.json.write(to, start);
}

const zstdOfText = ['zstd_content @'];

export const blockDamages: readonly Damage[] = [
  {
    title: 'a bit of a head',
    block: at.middle,
    expected: ['head_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.head), 777),
  },
  {
    title: 'a bit of a JSON part',
    block: at.middle,
    expected: ['json_checksum @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.json), 77),
  },
  {
    title: 'a bit of a zstd part',
    block: at.open,
    expected: ['zstd_checksum @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.zstd), 77),
  },
  ...(['head', 'json', 'zstd', 'segment'] as const).map((part) => ({
    title: `no ${part} part`,
    block: at.segment,
    expected: [`${part}_missing @`],
    change: (db: RawDatabase, timeUs: number) => db.del(blockKey(timeUs, parts[part])),
  })),
  {
    title: 'a shorter JSON part',
    block: at.last,
    expected: ['json_checksum @'],
    change: async (db, timeUs) => {
      const key = blockKey(timeUs, parts.json);
      await db.put(key, (await db.get(key))!.subarray(1));
    },
  },
  {
    title: 'a head of another time',
    block: at.last,
    expected: ['key_mismatch @', 'columns @', 'columns @'],
    change: meaning((block) => {
      block.index = { ...block.index, lastTimeUs: block.index.firstTimeUs - 1 };
    }),
  },
  {
    title: 'events in the wrong order',
    block: at.last,
    expected: ['time_order @', 'columns @', 'event_time @'],
    change: meaning(({ index }) => index.timeUs.reverse()),
  },
  {
    title: 'one time that is wrong',
    block: at.last,
    expected: ['event_time @'],
    change: meaning(({ index }) => index.timeUs[1]++),
  },
  {
    title: 'a collection that is not in the list',
    block: at.last,
    expected: ['columns @', 'event_collection @'],
    change: meaning(({ index }) => {
      index.collection[0] = index.collections.length;
    }),
  },
  {
    title: 'a JSON part that is not zstd',
    block: at.last,
    expected: ['json_undecodable @'],
    change: meaning((block) => {
      block.stored = Buffer.from('not zstd');
    }),
  },
  {
    title: 'a JSON part with an event too many',
    block: at.last,
    expected: ['json_length @'],
    change: meaning((block) => {
      block.json = Buffer.concat([block.json, Buffer.from([0x81, 2, 0x7b, 0x7d])]);
    }),
  },
  {
    title: 'ends that fall',
    block: at.last,
    expected: ['json_length @', 'zstd_length @'],
    change: meaning(({ index }) => {
      index.jsonEnd[0] = index.jsonEnd[1];
      index.zstdEnd[0] = 0;
    }),
  },
  {
    title: 'an end within a message',
    block: at.last,
    expected: ['json_message @', 'zstd_message @'],
    change: meaning(({ index }) => {
      index.jsonEnd[0]--;
      index.zstdEnd[1]--;
    }),
  },
  {
    title: 'JSON messages of the wrong kind',
    block: at.last,
    expected: ['json_message @'],
    change: meaning(({ json }) => {
      json[0] = 0x82;
    }),
  },
  {
    title: 'a long JSON message that declares another length',
    block: at.last,
    expected: ['json_message @'],
    change: meaning(({ json, index }) => {
      const long = [0, ...index.jsonEnd].find((start) => json[start + 1] === 126)!;
      json[long + 3] ^= 1;
    }),
  },
  {
    title: 'a zstd message that declares another length',
    block: at.last,
    expected: ['zstd_message @'],
    change: meaning(({ zstd }) => zstd[1]++),
  },
  {
    title: 'text that is not JSON',
    block: at.last,
    expected: ['json_text @', ...zstdOfText],
    change: meaning((block) => {
      block.json[payloadStart(block, 0)] = 0x5b;
    }),
  },
  {
    title: 'text that is not UTF-8',
    block: at.last,
    expected: ['json_text @', ...zstdOfText],
    change: meaning((block) => {
      block.json[block.json.indexOf('did:plc:') + 12] = 0xff;
    }),
  },
  {
    title: 'text of another time',
    block: at.last,
    expected: ['event_time @', ...zstdOfText],
    change: meaning((block) => retext(block, '"time_us":17', '"time_us":18')),
  },
  {
    title: 'text of another account',
    block: at.last,
    expected: ['event_did @', ...zstdOfText],
    change: meaning((block) => retext(block, 'did:plc:aaa', 'did:plc:aab')),
  },
  ...[0, 1].map((half) => ({
    title: `half ${half} of a DID hash that is wrong`,
    block: at.last,
    expected: ['event_did @'],
    change: meaning(({ index }) => {
      index.didHash[half] ^= 1;
    }),
  })),
  {
    title: 'a kind that is wrong',
    block: at.last,
    expected: ['event_kind @'],
    change: meaning(({ index }) => {
      index.kindAndOperation[0] ^= 3;
    }),
  },
  {
    title: 'an operation that is wrong',
    block: at.last,
    expected: ['event_kind @'],
    change: meaning(({ index }) => {
      index.kindAndOperation[0] ^= 0x30;
    }),
  },
  {
    title: 'a collection that is wrong',
    block: at.last,
    expected: ['event_collection @'],
    change: meaning((block) => {
      const names = [...block.index.collections];
      names[0] = names[0].toUpperCase();
      block.index = { ...block.index, collections: names };
    }),
  },
  {
    title: 'a zstd frame with a bit of its magic number flipped',
    block: at.last,
    expected: ['zstd_undecodable @'],
    change: meaning(({ zstd }) => {
      zstd[zstd[1] < 126 ? 2 : 4] ^= 0x10;
    }),
  },
  {
    title: 'zstd frames of other events',
    block: at.last,
    expected: ['zstd_content @'],
    change: meaning((block) => {
      const other = Buffer.from(block.json);
      other.write('x', other.indexOf('did:plc:') + 8);
      const { zstd, index } = withRealFrames({ ...block, json: other });
      block.zstd = Buffer.from(zstd);
      block.index = index;
    }),
  },
];
