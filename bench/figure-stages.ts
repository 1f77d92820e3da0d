// The stages of ingest one by one, in this process and without sockets, each beside the ecosystem's plain tool for the
// same job. Nothing but the log touches the disk.

import { existsSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { ByteWriter } from '../lib/byte-writer.ts';
import { chooseCompressor } from '../lib/codec/choose-compressor.ts';
import { type Compressor, compressionLevels } from '../lib/codec/compressor.ts';
import { defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { CarIndex } from '../lib/decode/car.ts';
import { Frame, frameTypes, opInts } from '../lib/decode/frame.ts';
import { writeRecord } from '../lib/decode/record-json.ts';
import { RecordTape } from '../lib/decode/record-tape.ts';
import { Clock } from '../lib/event/clock.ts';
import { DidHasher } from '../lib/event/did-hash.ts';
import { EventWriter } from '../lib/event/event-writer.ts';
import type { Block } from '../lib/log/block.ts';
import { BlockBuilder } from '../lib/log/block-builder.ts';
import { LevelLog } from '../lib/log/level-log.ts';
import { decodeMessage, eventsOf, jsonOf, plainCompressor, readBlocks, recordOf } from './baseline-codec.ts';
import { TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import type { Session } from './session.ts';
import {
  noCompressor,
  officialDictionaryPath,
  readInput,
  type StageInput,
  writeEvents,
} from './stage-input.ts';

const blockEvents = 256;

/** One pass over all input; returns how many events that was. */
type Pass = () => number | Promise<number>;

type Row = [name: string, ours: Pass, baseline: Pass];

/** Microseconds per event of each stage. */
export async function stageFigures(session: Session): Promise<Figure[]> {
  const input = await readInput(session);
  const codec = await openCodec(defaultDictionaryPath());
  const rows: Row[] = [
    ['frame read, CAR, hashes', framePass(input), () => plainFrames(input)],
    [
      'record to JSON',
      recordPass(input),
      () => each(input.records, (bytes) => JSON.stringify(recordOf(bytes))),
    ],
    ['frame to event JSON, all of it', eventPass(input), () => plainEvents(input)],
    ...zstdRows(input, codec, ''),
  ];
  const codecs = [codec];
  if (existsSync(officialDictionaryPath)) {
    const official = await openCodec(officialDictionaryPath);
    codecs.push(official);
    rows.push(...zstdRows(input, official, ', dictionary of v1'));
  }
  const figures: Figure[] = [];
  for (const [name, ours, baseline] of rows) figures.push(await stage(session, name, ours, baseline));
  figures.push(await appendStage(session, input, codec));
  for (const { node, wasm } of codecs) for (const compressor of [node, wasm]) compressor.close();
  return figures;
}

/** Our two compressors and the plain one, on one dictionary. */
interface Codec {
  readonly node: Compressor;
  readonly wasm: Compressor;
  readonly plain: (json: Uint8Array) => Uint8Array;
}

async function openCodec(dictionaryPath: string): Promise<Codec> {
  const dictionary = readDictionary(dictionaryPath);
  const { default: level } = compressionLevels;
  const wasm = await chooseCompressor('wasm', dictionary, level);
  const node = await chooseCompressor('node', dictionary, level);
  // Ours has loaded the module, of which a process has only one.
  return { node, wasm, plain: await plainCompressor(dictionary.bytes, true) };
}

function zstdRows(input: StageInput, { node, wasm, plain }: Codec, suffix: string): Row[] {
  const plainPass = (): number => each(input.jsons, plain);
  return [
    [`zstd node${suffix}`, zstdPass(input, node, false), plainPass],
    [`zstd wasm${suffix}`, zstdPass(input, wasm, false), plainPass],
    [`zstd node${suffix}, catching up`, zstdPass(input, node, true), plainPass],
    [`zstd wasm${suffix}, catching up`, zstdPass(input, wasm, true), plainPass],
  ];
}

async function stage(session: Session, name: string, ours: Pass, baseline: Pass): Promise<Figure> {
  const msMin = session.quick ? 100 : 1000;
  // Unmeasured, until the compiler has done its work.
  for (const pass of [ours, baseline]) await timed(pass, msMin / 2);
  const measured = await session.alternate(
    `stage ${name}`,
    () => timed(ours, msMin),
    () => timed(baseline, msMin),
  );
  return figureOf(`stage: ${name}`, 'µs/event', 'lower', measured);
}

/** Repeats a pass for at least `msMin`. */
async function timed(pass: Pass, msMin: number): Promise<Sample> {
  const startMs = performance.now();
  const cpuBefore = process.cpuUsage();
  let events = 0;
  let ms = 0;
  while (ms < msMin) {
    const passed = pass();
    events += typeof passed === 'number' ? passed : await passed;
    ms = performance.now() - startMs;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { value: (ms * 1000) / events, events, cpuUsPerEvent: (user + system) / events };
}

function each<T>(items: readonly T[], work: (item: T) => unknown): number {
  for (const item of items) work(item);
  return items.length;
}

function framePass({ frames, events }: StageInput): Pass {
  const frame = new Frame();
  const car = new CarIndex();
  return () => {
    for (const bytes of frames) {
      if (frame.read(bytes) !== undefined || frame.type !== frameTypes.commit) continue;
      car.read(bytes, frame.blocksStart, frame.blocksEnd);
      for (let op = 0; op < frame.opCount * opInts; op += opInts) {
        car.find(bytes, frame.ops[op + 3], frame.ops[op + 4]);
      }
    }
    return events;
  };
}

async function plainFrames({ frames, events }: StageInput): Promise<number> {
  for (const frame of frames) {
    const message = decodeMessage(frame);
    if (message?.type === '#commit' && !message.body.tooBig) await readBlocks(message);
  }
  return events;
}

function recordPass({ records }: StageInput): Pass {
  const tape = new RecordTape();
  const out = new ByteWriter();
  return () =>
    each(records, (bytes) => {
      out.length = 0;
      if (tape.read(bytes, 0, bytes.length)) writeRecord(out, tape);
    });
}

function eventPass({ frames }: StageInput): Pass {
  const frame = new Frame();
  const builder = new BlockBuilder(new Clock(0), new DidHasher(new Uint8Array(8)), new Map());
  const writer = new EventWriter(builder, () => {});
  return () => {
    let events = 0;
    for (const bytes of frames) {
      frame.read(bytes);
      events += writer.write(frame);
      if (builder.isFull) builder.seal(noCompressor);
    }
    return events;
  };
}

async function plainEvents({ frames }: StageInput): Promise<number> {
  let events = 0;
  for (const frame of frames) {
    for (const event of await eventsOf(frame)) {
      Buffer.from(jsonOf(event, Date.now() * 1000));
      events++;
    }
  }
  return events;
}

/** @param isFast as ingest does with blocks of many events. */
function zstdPass({ jsons }: StageInput, compressor: Compressor, isFast: boolean): Pass {
  const out = new ByteWriter();
  return () =>
    each(jsons, (json) => {
      out.length = 0;
      compressor.compress(json, 0, json.length, out, isFast);
    });
}

/** A log that both sides append the same events to: ours in blocks, the baseline's in one batch for each. */
async function appendStage(session: Session, input: StageInput, { node, plain }: Codec): Promise<Figure> {
  const events = session.quick ? 5_000 : 50_000;
  const frames = input.jsons.map((json): [Uint8Array, Uint8Array] => [json, plain(json)]);
  const ours = (): Promise<Sample> => appendBlocks(input, node, events);
  const baseline = (): Promise<Sample> => appendKeys(frames, events);
  for (const warmUp of [ours, baseline]) await warmUp();
  const measured = await session.alternate('stage log append', ours, baseline);
  return figureOf('stage: log append', 'µs/event', 'lower', measured);
}

async function appendBlocks(input: StageInput, compressor: Compressor, events: number): Promise<Sample> {
  await using directory = await TemporaryDirectory.make();
  const log = await LevelLog.open({
    dataDir: directory.path,
    retentionBytes: 0,
    tailBytesMax: 1,
    fsync: false,
    compressor,
  });
  const builder = new BlockBuilder(new Clock(0), new DidHasher(log.didHashKey), new Map());
  const blocks: Block[] = [];
  for (let made = 0; made < events; made += blockEvents) {
    while (builder.count < blockEvents) writeEvents(input.frames, builder);
    blocks.push(builder.seal(compressor));
  }
  const appended = blocks.reduce((sum, { index }) => sum + index.count, 0);
  let next = 0;
  const sample = await timed(async () => {
    for (; next < blocks.length; next++) await log.append(blocks[next]);
    return appended;
  }, 0.001);
  await log.close();
  return sample;
}

async function appendKeys(frames: readonly [Uint8Array, Uint8Array][], events: number): Promise<Sample> {
  await using directory = await TemporaryDirectory.make();
  const db = new ClassicLevel<string, Uint8Array>(directory.path, { valueEncoding: 'view' });
  await db.open();
  const sample = await timed(async () => {
    for (let at = 0; at < events; at++) {
      const [json, zstd] = frames[at % frames.length];
      const key = String(at).padStart(16, '0');
      await db.batch([
        { type: 'put', key: `j!${key}`, value: json },
        { type: 'put', key: `z!${key}`, value: zstd },
      ]);
    }
    return events;
  }, 0.001);
  await db.close();
  return sample;
}
