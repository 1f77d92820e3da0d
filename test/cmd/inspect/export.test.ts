import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportRange, exportLines } from '../../../cmd/inspect/export.ts';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { blockKey, parts } from '../../../lib/log/block-format.ts';
import { Journal } from '../../../lib/log/journal.ts';
import { type SampleEvent, seededRandom } from '../../support/events.ts';
import { contentOf, edit, flip } from './raw-log.ts';
import { makeLog, makeLogOfBlocks, type WrittenLog } from './sample-log.ts';

let dataDir: string;
let made: WrittenLog;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-export-'));
  made = await makeLogOfBlocks(dataDir, 95, 120, 5);
});
afterAll(() => rm(dataDir, { recursive: true }));

const everything: ExportRange = {
  fromUs: 0,
  toUs: Number.POSITIVE_INFINITY,
  eventsMax: Number.POSITIVE_INFINITY,
};

async function exported(
  range: Partial<ExportRange>,
  folder = dataDir,
): Promise<{ lines: string[]; damage: string[]; chunks: number }> {
  const reader = await ClosedLog.open(folder);
  const damage: string[] = [];
  let text = '';
  let chunks = 0;
  try {
    const onDamage = ({ code, message }: { code: string; message: string }) =>
      damage.push(`${code} ${message}`);
    for await (const chunk of exportLines(reader, { ...everything, ...range }, onDamage)) {
      text += Buffer.from(chunk);
      chunks++;
    }
  } finally {
    await reader.close();
  }
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return { lines: text.split('\n').slice(0, -1), damage, chunks };
}

function lined(events: readonly SampleEvent[]): string[] {
  return events.map((event) => JSON.stringify(event));
}

test('all events come in order, those of the journal last, and the log stays as it is', async () => {
  const before = await contentOf(dataDir);
  const { lines, damage, chunks } = await exported({});
  expect(lines).toEqual(lined(made.sample.events));
  expect(damage).toEqual([]);
  expect(chunks).toBe(125);
  expect(await contentOf(dataDir)).toEqual(before);
});

test('from is inclusive, to is not, and the limit counts events', async () => {
  const random = seededRandom(96);
  const { events } = made.sample;
  const someUs = (): number =>
    events[Math.floor(random() * events.length)].time_us + Math.floor(random() * 3) - 1;
  for (let round = 0; round < 30; round++) {
    const [fromUs, toUs] = [someUs(), someUs()];
    const eventsMax = random() < 0.5 ? Number.POSITIVE_INFINITY : Math.floor(random() * 60);
    const expected = events.filter(({ time_us }) => time_us >= fromUs && time_us < toUs).slice(0, eventsMax);
    expect((await exported({ fromUs, toUs, eventsMax })).lines, `${fromUs} ${toUs} ${eventsMax}`).toEqual(
      lined(expected),
    );
  }
  const { journalled } = made;
  const fromUs = journalled[2].index.firstTimeUs;
  expect((await exported({ fromUs })).lines).toEqual(
    lined(events.filter(({ time_us }) => time_us >= fromUs)),
  );
  expect((await exported({ fromUs: events.at(-1)!.time_us + 1 })).lines).toEqual([]);
});

test('blocks that the journal has as well as the store come once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-export-'));
  try {
    const { sample } = await makeLog(folder, 97, [30, 2, 300, 4]);
    const blocks = await edit(folder, 'blocks', (db) => db.keys().all());
    const endUs = Number(blocks.at(-1)!.readBigUInt64BE(1));
    const journal = await Journal.open(join(folder, 'journal'));
    const { blocks: kept } = await journal.recover(endUs, async () => {});
    const again = { ...kept[0], index: { ...kept[0].index, lastTimeUs: endUs } };
    await journal.append(again, 0, false);
    await journal.close();
    expect((await exported({}, folder)).lines).toEqual(lined(sample.events));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('damaged blocks are told and left out', async () => {
  const [first, second, third] = [10, 20, 30].map((at) => made.stored[at]);
  await edit(dataDir, 'blocks', async (db) => {
    await flip(db, blockKey(first, parts.json), 99);
    await flip(db, blockKey(second, parts.head), 99);
    await db.del(blockKey(third, parts.json));
  });
  const { lines, damage } = await exported({});
  const isLost = ({ time_us }: SampleEvent): boolean =>
    [10, 20, 30].some((at) => time_us > made.stored[at - 1] && time_us <= made.stored[at]);
  expect(lines).toEqual(lined(made.sample.events.filter((event) => !isLost(event))));
  expect(damage.length).toBe(3);
  expect(damage[0]).toContain(`LOG_CORRUPT the JSON part of block ${first}`);
});
