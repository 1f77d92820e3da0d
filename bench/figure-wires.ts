// The second wire beside our first one, in the same run and on the same log: what is in the columns of the plain server is our own first
// wire. Replays from memory and from LevelDB, and live delivery.

import { setTimeout as delay } from 'node:timers/promises';
import { defaultDictionaryId, v2DictionaryIds } from '../lib/codec/dictionary.ts';
import { FilledLog } from './figure-replay.ts';
import { LoadClient, loadOf, rateOf, sampleOf } from './load.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import { onSecondWire } from './servers.ts';
import type { Session } from './session.ts';

/** Events that fit into 48 MiB of memory with room to spare. */
const memoryEventsMax = 40_000;
const memoryRepeats = 10;
/** Of a log that is not in memory, at the same time: they share what is made of a block. */
const readersTogether = 8;
const live = { subscribers: 100, rate: 2_000 };
const quickLive = { subscribers: 20, rate: 500 };

/** What asks for an encoding, on the first wire and on the second. */
const encodings = [
  { name: 'JSON', first: '', second: '' },
  {
    name: 'zstd',
    first: `compress=true&zstdDictionary=${defaultDictionaryId}`,
    second: `zstdDictionary=${v2DictionaryIds[0]}`,
  },
] as const;

/** All of them. */
export async function wireFigures(session: Session): Promise<Figure[]> {
  session.note("wires: the plain server's columns are our own first wire");
  return [...(await replayFigures(session)), ...(await liveFigures(session))];
}

async function replayFigures(session: Session): Promise<Figure[]> {
  const figures: Figure[] = [];
  const inMemory = Math.min(session.events(memoryEventsMax, 5_000), memoryEventsMax);
  const stored = session.events(500_000, 20_000);
  for (const [place, events, repeats, readersOf] of [
    ['memory', inMemory, session.quick ? 2 : memoryRepeats, [1]],
    ['LevelDB', stored, 1, [1, readersTogether]],
  ] as const) {
    await using log = await FilledLog.make(session, 'node', events);
    for (const [{ name: encoding, first, second }, readers] of encodings.flatMap((one) =>
      readersOf.map((readers) => [one, readers] as const),
    )) {
      const together = readers === 1 ? '' : ` to ${readers} at once`;
      const name = `second wire, replay from ${place}${together}, ${encoding}`;
      const measured = await session.alternate(
        name,
        () => log.replay(`&${second}`, repeats, true, readers),
        () => log.replay(`&${first}`, repeats, false, readers),
      );
      figures.push(figureOf(name, 'events/s', 'higher', measured));
    }
  }
  return figures;
}

async function liveFigures(session: Session): Promise<Figure[]> {
  const { subscribers, rate } = session.quick ? quickLive : live;
  const figures: Figure[] = [];
  for (const { name: encoding, first, second } of encodings) {
    const name = `second wire, live ${encoding}, ${subscribers} x ${rate} events/s`;
    const measured = await session.alternate(
      name,
      () => deliver(session, second, true),
      () => deliver(session, first, false),
    );
    figures.push(figureOf(name, 'deliveries/s', 'higher', measured));
  }
  return figures;
}

async function deliver(session: Session, query: string, isSecondWire: boolean): Promise<Sample> {
  const { subscribers, rate } = session.quick ? quickLive : live;
  const [warmup, seconds] = session.quick ? [0.5, 1.5] : [3, 8];
  await using rig = await Rig.start(session, 'node', { rate });
  const target = isSecondWire ? onSecondWire(rig.target) : rig.target;
  await using crowd = await LoadClient.crowd(target, { connections: subscribers, query });
  await delay(warmup * 1000);
  const load = await loadOf(target, () => crowd.count(seconds));
  return sampleOf(load, rateOf(load));
}
