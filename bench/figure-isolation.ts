// What many replays at full speed do to live delivery and to ingest: the latency of a live subscriber, and whether the log
// keeps up with the relay, while a crowd is live and others replay the whole log over and over.

import { setTimeout as delay } from 'node:timers/promises';
import { LoadClient, loadOf, rateOf, sampleOf } from './load.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { ServerKind } from './servers.ts';
import type { Session } from './session.ts';

interface Run {
  readonly p50: Sample;
  readonly p99: Sample;
  readonly replayed: Sample;
  /** Events stored a second, of the relay's rate. */
  readonly ingest: Sample;
}

/** Latency of live delivery beside replays, ours and the baseline's. */
export async function isolationFigures(session: Session): Promise<Figure[]> {
  const size = session.quick
    ? { live: 20, replays: 4, rate: 500, backlog: 5_000 }
    : { live: 1000, replays: 100, rate: 500, backlog: session.events(200_000, 0) };
  const name = `${size.replays} replays beside ${size.live} live`;
  const runs = await session.alternate(
    name,
    () => crowd(session, 'node', size),
    () => crowd(session, 'baseline', size),
  );
  session.note(
    `isolation: ${size.rate} events/s live, ${size.backlog} in the log before; cpu is the server's for one delivery`,
  );
  return [
    figureOf(
      `${name}: latency, p99`,
      'ms',
      'lower',
      pick(runs, ({ p99 }) => p99),
    ),
    figureOf(
      '  latency, p50',
      'ms',
      'lower',
      pick(runs, ({ p50 }) => p50),
    ),
    figureOf(
      '  replayed meanwhile',
      'events/s',
      'higher',
      pick(runs, ({ replayed }) => replayed),
    ),
    figureOf(
      '  ingest, of the rate',
      '%',
      'higher',
      pick(runs, ({ ingest }) => ingest),
    ),
  ];
}

interface Size {
  readonly live: number;
  readonly replays: number;
  readonly rate: number;
  readonly backlog: number;
}

async function crowd(session: Session, kind: ServerKind, size: Size): Promise<Run> {
  const [warmup, seconds] = session.quick ? [0.5, 1.5] : [3, 10];
  // The baseline takes minutes for what we take seconds for; it replays a tenth, over and over.
  const backlog = kind === 'baseline' ? size.backlog / 10 : size.backlog;
  await using rig = await Rig.start(session, kind, { rate: size.rate, backlog });
  const { target } = rig;
  await using clients = await LoadClient.crowdAndProbe(target, { connections: size.live });
  const { crowd: live, probe } = clients;
  await using replays = await LoadClient.crowd(target, {
    ...{ connections: size.replays, query: 'cursor=0' },
    againAfter: backlog,
  });
  await delay(warmup * 1000);
  const storedBefore = await rig.metric('log_stored_events');
  const startMs = performance.now();
  const latency = probe.count(seconds);
  const replayLoad = replays.count(seconds);
  const load = await loadOf(target, async () => {
    const [ofLive, ofReplays] = await Promise.all([live.count(seconds), replayLoad]);
    return {
      messages: ofLive.messages + ofReplays.messages,
      bytes: ofLive.bytes + ofReplays.bytes,
      seconds: ofLive.seconds,
      coreShare: Math.max(ofLive.coreShare, ofReplays.coreShare),
      ended: ofLive.ended + ofReplays.ended,
    };
  });
  const stored = (await rig.metric('log_stored_events')) - storedBefore;
  const share = (stored / ((performance.now() - startMs) / 1000) / size.rate) * 100;
  const { p50Ms, p99Ms } = await latency;
  return {
    p50: sampleOf(load, p50Ms),
    p99: sampleOf(load, p99Ms),
    replayed: sampleOf(load, rateOf(await replayLoad)),
    ingest: sampleOf(load, share),
  };
}
