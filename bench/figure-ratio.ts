// How small events become, and for what processor time: every level of both compressors on real events with the
// dictionary of v1, and dictionaries against each other on simulated ones. In this process, without sockets.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bytesOf, levels, measureCompression } from '../cmd/train-dictionary/compression-report.ts';
import { trainDictionary } from '../cmd/train-dictionary/trainer.ts';
import type { CompressorPreference } from '../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../lib/codec/compressor.ts';
import { type Dictionary, defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { loadZstdModule } from '../lib/codec/wasm-module.ts';
import { CodedError } from '../lib/errors.ts';
import { defaultWeights } from '../simulator/lib/collection-mix.ts';
import { plainCompressor } from './baseline-codec.ts';
import { eventTexts } from './event-texts.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import type { Session } from './session.ts';
import { officialDictionaryPath } from './stage-input.ts';

// Beside the project, where it is, not in it.
const realEventsPath = fileURLToPath(new URL('../../shared/corpus/expected-v1.jsonl', import.meta.url));
const freshDictionaryBytes = 16 * 1024;
/** Events that the plain compressor is timed on. */
const plainEvents = 500;
/** Share of the network's events, in percent, of what the mix does not name: deletions, identities, third parties. */
const otherWeight = 3;

/** Bytes of the zstd frames, in percent of those of the JSON. */
export async function ratioFigures(session: Session): Promise<Figure[]> {
  const figures: Figure[] = [];
  if (existsSync(realEventsPath) && existsSync(officialDictionaryPath)) {
    const official = readDictionary(officialDictionaryPath);
    const events = readFileSync(realEventsPath, 'utf8').trimEnd().split('\n').map(Buffer.from);
    session.note(`ratio: ${events.length} real events, as production sent them; 77 % of them are likes`);
    for (const compressor of ['node', 'wasm'] as const) {
      for (const level of levels)
        figures.push(await row(session, `v1's on real, ${compressor}`, official, events, level, compressor));
    }
    figures.push(await weightedRow(session, official, events));
  } else {
    session.note('ratio: no real events here, the rows with them are left out');
  }
  const count = session.quick ? 500 : 5_000;
  session.progress(`making ${count} events`);
  const train = await eventTexts('bench, trained on', count);
  const heldOut = await eventTexts('bench, held out', Math.ceil(count / 5));
  for (const [name, dictionary] of await dictionaries(session, train)) {
    for (const level of [compressionLevels.fast, compressionLevels.default])
      figures.push(await row(session, `${name} on simulated`, dictionary, heldOut, level, 'auto'));
  }
  return figures;
}

/** Dictionaries for simulated events, a fresh one among them. */
async function dictionaries(
  session: Session,
  events: readonly Buffer[],
): Promise<[name: string, Dictionary][]> {
  const all: [string, Dictionary][] = [["package's", readDictionary(defaultDictionaryPath())]];
  if (existsSync(officialDictionaryPath)) all.unshift(["v1's", readDictionary(officialDictionaryPath)]);
  try {
    session.progress('training a dictionary');
    all.push(['fresh', await trainDictionary(events, freshDictionaryBytes)]);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    session.note(`ratio: no fresh dictionary, ${error.message}`);
  }
  return all;
}

async function row(
  session: Session,
  about: string,
  dictionary: Dictionary,
  events: readonly Buffer[],
  level: number,
  compressor: CompressorPreference,
): Promise<Figure> {
  const name = `ratio, ${about}, level ${level}`;
  // Ours loads the module, of which a process has only one.
  await loadZstdModule();
  const plain = await plainCompressor(dictionary.bytes, true);
  const sample = { events: events.length, bytes: bytesOf(events) };
  const ours = async (): Promise<Sample> => {
    const { ratio, cpuUs } = await measureCompression(dictionary, events, level, compressor);
    return { ...sample, value: ratio * 100, cpuUsPerEvent: cpuUs };
  };
  const baseline = async (): Promise<Sample> => {
    const bytes = events.reduce((sum, event) => sum + plain(event).length, 0);
    const value = (bytes / sample.bytes) * 100;
    const start = process.cpuUsage();
    for (let at = 0; at < plainEvents; at++) plain(events[at % events.length]);
    const { user, system } = process.cpuUsage(start);
    return { ...sample, value, cpuUsPerEvent: (user + system) / plainEvents };
  };
  return figureOf(name, '% of JSON', 'lower', await session.alternate(name, ours, baseline));
}

/** The default level, each collection with the share that it has in the network and not in the sample. */
async function weightedRow(
  session: Session,
  dictionary: Dictionary,
  events: readonly Buffer[],
): Promise<Figure> {
  const weights = defaultWeights();
  const groups = Map.groupBy(events, (event) => {
    const { commit } = JSON.parse(event.toString());
    return commit?.operation !== 'delete' && commit?.collection in weights ? commit.collection : 'other';
  });
  const name = `ratio, v1's on real, weighted, level ${compressionLevels.default}`;
  const measured = await session.alternate(name, async (): Promise<Sample> => {
    let [json, frames] = [0, 0];
    for (const [collection, group] of groups) {
      const jsonShare = ((weights[collection] ?? otherWeight) * bytesOf(group)) / group.length;
      json += jsonShare;
      frames += jsonShare * (await measureCompression(dictionary, group, compressionLevels.default)).ratio;
    }
    return { value: (frames / json) * 100, events: events.length, bytes: bytesOf(events) };
  });
  return figureOf(name, '% of JSON', 'lower', measured);
}
