// Ingest from end to end: a relay that has everything ready, a server in a process of its own, and the time from its
// first event until all are stored. Processor time is that of all its threads, LevelDB's and the compressor's too.

import { TemporaryDirectory } from './processes.ts';
import { startCursor } from './relay-frames.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Relay, type ServerKind } from './servers.ts';
import type { Session } from './session.ts';

/** The baseline gets fewer events: its log is then the smaller one, which is to its advantage. */
const baselineShare = 1 / 8;

/** Ingest with either compressor against the baseline. */
export async function ingestFigures(session: Session): Promise<Figure[]> {
  session.note("ingest: bytes are those of the relay's frames");
  const events = session.events(400_000, 10_000);
  const figures: Figure[] = [];
  for (const kind of ['node', 'wasm'] as const) {
    const name = `ingest, zstd ${kind}`;
    const measured = await session.alternate(
      name,
      () => ingest(session, kind, events),
      () => ingest(session, 'baseline', events * baselineShare),
    );
    figures.push(figureOf(name, 'events/s', 'higher', measured));
  }
  return figures;
}

async function ingest(session: Session, kind: ServerKind, aboutEvents: number): Promise<Sample> {
  const frames = await session.frames();
  const backlog = frames.framesFor(aboutEvents);
  const events = frames.eventsOf(backlog);
  await using directory = await TemporaryDirectory.make();
  await using relay = await Relay.start(frames, { backlog });
  await using server = await session.start(kind, { relay, dataDir: directory.path, cursor: startCursor });
  const cpuBefore = server.process.cpuSeconds();
  await server.stored(events);
  const endMs = Date.now();
  const startMs = (await server.metric('log_first_event_timestamp_seconds')) * 1000;
  const cpuSeconds = server.process.cpuSeconds() - cpuBefore;
  return {
    value: events / ((endMs - startMs) / 1000),
    events,
    bytes: frames.bytesOf(backlog),
    cpuUsPerEvent: (cpuSeconds * 1e6) / events,
    peakRssBytes: server.process.peakRssBytes(),
  };
}
