// `slipstream train-dictionary` once its flags are read: events are read and sampled, a dictionary is made of them and
// measured, and both files are written. It owns the order and what is said on standard error meanwhile.

import { join } from 'node:path';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { UsageError } from '../../lib/errors.ts';
import { grouped } from '../../lib/text.ts';
import { makeMetadata, metadataText, writeDictionary } from './dictionary-metadata.ts';
import { EventSample, type SplitSample } from './event-sample.ts';
import { type ReadProgress, readEvents, sourceName } from './event-source.ts';
import { trainDictionary, trainerName, trainingEventsMin } from './trainer.ts';

/** Fewest events to measure with. */
const heldOutEventsMin = 10;

/** What the flags ask for. */
export interface TrainingRequest {
  /** Address of a server, or path of a file; it has to be given. */
  readonly from?: string;
  /** Events to sample. */
  readonly events: number;
  /** Longest time to read from a server. */
  readonly minutes: number;
  /** Folder for both files. */
  readonly out: string;
  /** Bytes of the dictionary. */
  readonly size: number;
  readonly id?: number;
  /** Path of the dictionary to compare with. */
  readonly against?: string;
  readonly seed: string;
}

/**
 * Makes the dictionary and its metadata; resolves with the report on them. Throws UsageErrors: CONFIG_MISSING_VALUE, those of
 * TRAINING_ codes, and of the dictionary to compare with.
 */
export async function makeDictionary(request: TrainingRequest): Promise<string> {
  const { from, events, minutes, out, size, id, seed } = request;
  if (!from) throw new UsageError('CONFIG_MISSING_VALUE', '--from is missing: give a server or a file');
  const against = readDictionary(request.against ?? defaultDictionaryPath());
  const trainer = await trainerName();
  const sample = new EventSample(events, seed);
  const timeoutMs = minutes * 60_000;
  await readEvents(from, sample, { timeoutMs, liveEventsMax: events, onProgress: showProgress });
  const { train, heldOut } = enough(sample, from);
  showStep(`training on ${train.length} events, ${heldOut.length} are held out`);
  const dictionary = await trainDictionary(train, size, id);
  showStep('measuring');
  const created = new Date().toISOString().slice(0, 10);
  const told = { source: sourceName(from), seed, trainer, created };
  const metadata = await makeMetadata({ dictionary, against, train, heldOut, ...told });
  const path = await writeDictionary(out, dictionary, metadata);
  return `${metadataText(metadata)}\n\n${path}\n${join(out, `${dictionary.id}.json`)}`;
}

/** @throws UsageError `TRAINING_TOO_FEW`. */
function enough(sample: EventSample, from: string): SplitSample {
  const split = sample.split();
  if (split.train.length >= trainingEventsMin && split.heldOut.length >= heldOutEventsMin) return split;
  throw new UsageError(
    'TRAINING_TOO_FEW',
    `${sourceName(from)} has too few events: of ${sample.offered} that came, ${split.train.length} are to train on and ${split.heldOut.length}, of other accounts, to measure with; ${trainingEventsMin} and ${heldOutEventsMin} are needed, 10,000 are better`,
  );
}

function showProgress({ events, kept, bytes, seconds }: ReadProgress): void {
  const rate = grouped(Math.round(events / seconds));
  const mebibytes = (bytes / 2 ** 20).toFixed(0);
  showStep(`${events} events, ${mebibytes} MiB, ${rate} a second; ${kept} in the sample`);
}

function showStep(text: string): void {
  process.stderr.write(`train-dictionary: ${text}\n`);
}
