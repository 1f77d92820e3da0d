// Shell of the dictionary trainer: events from the built-in simulator or a file of frames in, a zstd dictionary and its
// card out. Training and measuring are lib/codec/dictionary-training.ts; frames become events as in the daemon.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compressionLevels } from '../lib/codec/compressor.ts';
import {
  measureWorth,
  trainDictionary,
  trainedBytesMax,
  trainerVersion,
  trainingEventsMin,
  writeDictionary,
} from '../lib/codec/dictionary-training.ts';
import { ByteWriter } from '../lib/decode/byte-writer.ts';
import { Frame, frameTypes } from '../lib/decode/frame.ts';
import { CodedError } from '../lib/event/coded-error.ts';
import { EventWriter } from '../lib/event/event-writer.ts';
import { readFrames } from '../lib/simulator/frames-file.ts';

const help = `train-dictionary: makes a zstd dictionary for events, and the card that describes it

usage: node cmd/train-dictionary.ts [flags]

  --frames FILE   train on recorded frames ([u32 little-endian length][frame], repeated); every
                  tenth event is held out. Default: the built-in simulator, whose content is made up
  --seed TEXT     seed of the simulator (default dictionary)
  --events N      events to train on at most (default 12000)
  --bytes N       size of the dictionary, 1024 to 65536 (default 16384)
  --level N       compression level to measure at (default 3)
  --out FOLDER    where <id>.zdict and <id>.json go (default dictionaries)
  --help          this text

It runs the zstd command line (apt-get install zstd). The same events give the same dictionary.
`;

const flags = {
  frames: { type: 'string' },
  seed: { type: 'string', default: 'dictionary' },
  events: { type: 'string', default: '12000' },
  bytes: { type: 'string', default: '16384' },
  level: { type: 'string', default: String(compressionLevels.default) },
  out: { type: 'string', default: join(import.meta.dirname, '../dictionaries') },
  help: { type: 'boolean', default: false },
} as const;

/** Events held out for measuring, of those that the simulator makes: one for so many that are trained on. */
const heldOutShare = 10;
/** Simulated time between frames, in microseconds: the events spread over a year, so that no day is learned. */
const stepUs = 2_600_000_000;
const firstTimeUs = Date.UTC(2026, 0, 1) * 1000;

/** Events for training and others for measuring, and where they came from. */
interface Samples {
  readonly train: Buffer[];
  readonly heldOut: Buffer[];
  readonly source: string;
}

/** Turns frames into the JSON of their events; takes the place of the block builder in the daemon. */
class EventCollector {
  readonly events: Buffer[] = [];
  readonly writer = new ByteWriter();
  readonly #frame = new Frame();
  readonly #eventWriter = new EventWriter(this, () => {});
  #timeUs = firstTimeUs;

  take(bytes: Uint8Array): void {
    const dropped = this.#frame.read(bytes);
    if (dropped === undefined && this.#frame.type <= frameTypes.account) this.#eventWriter.write(this.#frame);
  }

  begin(): number {
    this.writer.length = 0;
    this.#timeUs += stepUs - (this.events.length % 997);
    return this.#timeUs;
  }

  end(): void {
    this.events.push(Buffer.from(this.writer.buffer.subarray(0, this.writer.length)));
  }

  abandon(): void {
    this.writer.length = 0;
  }
}

async function simulate(seed: string, count: number): Promise<Buffer[]> {
  // Its packages are development dependencies: whoever trains on a file does without them.
  const { SyntheticNetwork } = await import('../lib/simulator/network.ts');
  // An account for every event and no history: an identifier that comes back would be learned.
  const network = new SyntheticNetwork({ seed, accounts: count, historyRecords: 0, stepUs });
  const collector = new EventCollector();
  while (collector.events.length < count) collector.take((await network.next()).bytes);
  return collector.events.slice(0, count);
}

async function readSamples(path: string, count: number): Promise<Samples> {
  const collector = new EventCollector();
  for (const frame of await readFrames(path)) collector.take(frame);
  const { events } = collector;
  const isHeldOut = (_: Buffer, at: number): boolean => at % heldOutShare === heldOutShare - 1;
  return {
    train: events.filter((event, at) => !isHeldOut(event, at)).slice(0, count),
    heldOut: events.filter(isHeldOut),
    source: 'a file of recorded frames',
  };
}

async function makeSamples(seed: string, count: number): Promise<Samples> {
  return {
    train: await simulate(seed, count),
    heldOut: await simulate(`${seed}, held out`, Math.ceil(count / heldOutShare)),
    source: `the simulator of this package, seed "${seed}": content is made up`,
  };
}

/** @throws CodedError `CONFIG_FLAG_INVALID`. */
function wholeNumber(flag: string, text: string, low: number, high: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new CodedError(
    'CONFIG_FLAG_INVALID',
    `--${flag} ${text}: must be a whole number from ${low} to ${high}`,
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: flags, allowPositionals: false });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const count = wholeNumber('events', values.events, trainingEventsMin, 1_000_000);
  const bytes = wholeNumber('bytes', values.bytes, 1024, trainedBytesMax);
  const level = wholeNumber('level', values.level, compressionLevels.min, compressionLevels.max);
  const trainer = `zstd ${await trainerVersion()}`;
  const { train, heldOut, source } =
    values.frames === undefined
      ? await makeSamples(values.seed, count)
      : await readSamples(values.frames, count);
  const dictionary = await trainDictionary(train, bytes);
  const worth = await measureWorth(dictionary, heldOut, level);
  await mkdir(values.out, { recursive: true });
  const path = await writeDictionary(values.out, dictionary, {
    id: dictionary.id,
    bytes: dictionary.bytes.length,
    sha256: dictionary.sha256,
    created: new Date().toISOString().slice(0, 10),
    source,
    trainer,
    trainedOn: { events: train.length, bytes: train.reduce((sum, event) => sum + event.length, 0) },
    heldOut: worth,
  });
  console.log(
    `${path}: id ${dictionary.id}, ${dictionary.bytes.length} bytes; ${worth.events} other events shrink to ${worth.ratio} of their size, without it to ${worth.ratioWithoutDictionary}`,
  );
}

/** Errors of whoever called us: a flag, a file that is not there, a program that is not installed. */
function isUsageError(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ERR_PARSE_ARGS|CONFIG_|SIMULATOR_|CODEC_TRAIN|ENOENT|EACCES|EISDIR)/.test(code);
}

try {
  await main();
} catch (error) {
  if (!isUsageError(error)) throw error;
  console.error(`train-dictionary: ${error.message.split('\n')[0]}`);
  process.exit(2);
}
