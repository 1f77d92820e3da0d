// The coverage ledger as clients of a whole daemon see it, with and without worker threads.

import { once } from 'node:events';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type CoverageReason, type CoverageRow, isNoticed } from '../../lib/event/coverage.ts';
import { blockKey } from '../../lib/log/block-format.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import type { CoveragePage } from '../../lib/wire/coverage-page.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import { fakeCompressor, type SampleEvent, SampleLog, seededRandom } from '../support/events.ts';

interface Message {
  readonly kind: string;
  readonly time_us: number;
  readonly gap?: { readonly reason: string; readonly to_us: number };
  readonly progress?: { readonly cursor: number; readonly live: boolean };
}

/** What a subscription brings, for as long as the test runs. */
async function subscribe(url: string): Promise<Message[]> {
  const socket = new WebSocket(url);
  onTestFinished(() => socket.terminate());
  const messages: Message[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(`${data}`)));
  await once(socket, 'open');
  return messages;
}

function gapsIn(messages: readonly Message[]): (readonly [string, number])[] {
  return messages
    .filter(({ kind }) => kind === 'gap')
    .map(({ gap, time_us }) => [gap?.reason ?? '', time_us]);
}

function gapsOf(rows: readonly CoverageRow[]): (readonly [string, number])[] {
  return rows.filter(isNoticed).map(({ reason, toUs }) => [reason, toUs]);
}

/** All but progress, which has to rise: events and gaps are in each other's place. */
function risingIn(messages: readonly Message[]): Message[] {
  const others = messages.filter(({ kind }) => kind !== 'progress');
  const times = others.map(({ time_us }) => time_us);
  expect(times).toEqual([...new Set(times)].sort((one, other) => one - other));
  return others;
}

interface Written {
  readonly events: readonly SampleEvent[];
  readonly rows: readonly CoverageRow[];
}

/** A log with rows in the middle of blocks and behind them, whose end a power failure has torn. */
async function writeLog(dataDir: string, relay: RelayServer): Promise<Written> {
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: true, compressor: fakeCompressor };
  const log = await LevelLog.open(options);
  const sample = new SampleLog(seededRandom(9), { didHashKey: log.didHashKey, textBytesMax: 500 });
  const reasons: readonly CoverageReason[] = ['relay_gap', 'frame_dropped', 'new_numbering', 'clock_step'];
  const rows: CoverageRow[] = [];
  // The relay is the one that was followed, so that no place is looked for.
  sample.builder.advance(new URL(relay.url).host, relay.headSeq);
  let found = 0;
  const append = async (count: number): Promise<void> => {
    let made = 0;
    const block = sample.block(count, () => {
      if (made++ % 90 !== 45) return;
      // Relays of their own: no row is joined with another.
      sample.builder.cover({ reason: reasons[found % 4], relay: `relay${found++}.test` });
    });
    const resolved = await log.resolve(block);
    rows.push(...(resolved.coverage ?? []));
    await log.append(resolved);
  };
  for (let blocks = 0; blocks < 8; blocks++) await append(300);
  for (let blocks = 0; blocks < 9; blocks++) await append(3);
  const { events } = sample;
  const lostUs = log.lastTimeUs;
  await log.close();
  const journal = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'journal'), { keyEncoding: 'buffer' });
  await journal.del(blockKey(events[8 * 300 + 7 * 3 - 1].time_us, 0));
  await journal.close();
  const kept = events.slice(0, 8 * 300 + 6 * 3);
  const fromUs = kept.at(-1)?.time_us as number;
  rows.push({ reason: 'log_cut', relay: '', fromUs, toUs: lostUs + 1, count: 1 });
  return { events: kept, rows };
}

test.each(['0', '2'])(
  'subscribers and /coverage tell the same, with %s workers',
  async (workers) => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'coverage', accounts: 12 }), 40);
    const relay = await RelayServer.listen({ source: pool });
    onTestFinished(() => relay.close());
    const flags = ['--ws-url', relay.url, '--workers', workers];
    await using daemon = await Daemon.start(flags);
    await daemon.service.stop();
    const { events, rows } = await writeLog(daemon.dataDir, relay);
    await daemon.restart(flags);

    const page = (await (await fetch(`${daemon.httpUrl}/coverage?limit=1000`)).json()) as CoveragePage;
    expect(page).toMatchObject({
      oldest_us: events[0].time_us,
      newest_us: events.at(-1)?.time_us,
      more: false,
      cursor: (rows.at(-1) as CoverageRow).toUs + 1,
    });
    expect(page.rows.map(({ reason, to_us }) => [reason, to_us])).toEqual(
      rows.map(({ reason, toUs }) => [reason, toUs]),
    );

    const replayed = gapsOf(rows.slice(0, -1));
    const cutUs = rows.at(-1)?.toUs as number;
    const rare = await subscribe(`${daemon.url}?cursor=0&progress=true&wantedCollections=com.example.rare`);
    await expect.poll(() => rare.at(-1)).toMatchObject({ kind: 'progress', progress: { live: true } });
    expect(gapsIn(rare)).toEqual(replayed);
    const wanted = events.filter(
      ({ commit }) => (commit?.collection ?? 'com.example.rare') === 'com.example.rare',
    );
    expect(risingIn(rare).filter(({ kind }) => kind !== 'gap')).toEqual(wanted);

    const plain = await subscribe(`${daemon.url}?cursor=0`);
    const live = await subscribe(`${daemon.url}?progress=true`);
    const again = await subscribe(`${daemon.url}?progress=true&cursor=${rare.at(-1)?.progress?.cursor}`);
    const lines = await (await fetch(`${daemon.httpUrl}/events.ndjson?progress=true&limit=100000`)).text();
    const pulled = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Message);
    expect(gapsIn(pulled)).toEqual(replayed);
    expect(risingIn(pulled).length).toBe(events.length + replayed.length);

    await relay.publish(40);
    const newEvents = pool.eventsPerRound;
    await expect.poll(() => plain.length).toBe(events.length + newEvents);
    for (const messages of [live, again]) {
      await expect.poll(() => messages.filter(({ kind }) => kind !== 'progress').length).toBe(newEvents + 1);
      expect(gapsIn(messages)).toEqual([['log_cut', cutUs]]);
      expect(risingIn(messages)[0].kind).toBe('gap');
    }
    await expect.poll(() => gapsIn(rare)).toEqual(gapsOf(rows));
    risingIn(rare);

    const stop = new AbortController();
    const stream = await fetch(
      `${daemon.httpUrl}/events?progress=true&cursor=0&wantedDids=did:web:nobody.test`,
      { signal: stop.signal },
    );
    let text = '';
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.includes('event: progress')) break;
    }
    stop.abort();
    const told = [...text.matchAll(/event: gap\nid: (\d+)\ndata: (.*)\n\n/g)];
    expect(told.map(([, id]) => Number(id))).toEqual(gapsOf(rows).map(([, toUs]) => toUs));
    expect(JSON.parse(told[0][2])).toMatchObject({
      kind: 'gap',
      gap: { reason: rows[0].reason, missing: true },
    });
  },
  30_000,
);
