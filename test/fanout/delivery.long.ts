// The promise of the delivery loop, against a model of a few lines: each subscriber gets the events after its cursor that
// its filter of the moment lets through, once and in order; and who wants gaps is told of each one once, in its place.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type CoverageRow, coverageReasons, isNoticed } from '../../lib/event/coverage.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import type { Subscriber } from '../../lib/fanout/subscriber.ts';
import type { Block } from '../../lib/log/block.ts';
import type { CoveragePlace } from '../../lib/log/block-builder.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { addressTable } from '../support/addresses.ts';
import { fakeCompressor, matches, randomFilter, SampleLog, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { FakeClient, Lines } from './fake-client.ts';

/** A client, and what it has asked for: each filter holds for the events after its position. */
interface Tracked {
  readonly client: FakeClient;
  readonly filters: { readonly afterUs: number; readonly filter: Filter }[];
  endedAtUs: number;
}

class Scene {
  readonly tracked: Tracked[] = [];
  readonly sample: SampleLog;
  /** Rows of the ledger that are told of. */
  readonly gaps: CoverageRow[] = [];
  /** Connections that go on where others were lost. */
  readonly again: [Tracked, Tracked][] = [];
  /** Deliveries of deletions that are expected for a wanted subject. */
  deletionsBySubject = 0;
  readonly #log: LevelLog;
  readonly #fanout: Fanout;
  readonly #random: () => number;
  readonly #lines = new Lines();
  #relays = 0;
  #marked: CoveragePlace | undefined;
  /** Stored, and not yet published. */
  #stored: Block[] = [];

  constructor(log: LevelLog, fanout: Fanout, random: () => number) {
    this.#log = log;
    this.#fanout = fanout;
    this.#random = random;
    let nowMs = 1_700_000_000_000;
    this.sample = new SampleLog(random, {
      didHashKey: log.didHashKey,
      nowMs: () => (random() < 0.1 ? ++nowMs : nowMs),
      textBytesMax: 5_000,
    });
  }

  get clients(): FakeClient[] {
    return this.tracked.filter(({ client }) => !client.hasEnded).map(({ client }) => client);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)];
  }

  /** Like the clients' filters in the world: many want nearly the same, some nothing special. */
  #filter(): Filter {
    return this.#chance(0.15) ? passAll : randomFilter(this.#random);
  }

  join(): void {
    const filter = this.#filter();
    const known = this.sample.events.length === 0 ? 1 : this.#pick(this.sample.events.slice(-200)).time_us;
    const { lastTimeUs } = this.#log;
    const ahead = lastTimeUs + Math.floor(this.#random() * 2000);
    const asked = this.#pick([undefined, undefined, 0, known - 1, known, known, lastTimeUs, ahead]);
    this.#connect(filter, asked, this.#chance(0.3));
  }

  #connect(filter: Filter, asked: number | undefined, wantsProgress: boolean): Tracked {
    const fills = this.#random() ** 2;
    const encoding = this.#pick([encodings.json, encodings.zstd, this.#lines]);
    const client = new FakeClient(encoding, () => this.#chance(fills), wantsProgress);
    const afterUs = asked ?? this.#fanout.publishedUs;
    const tracked = { client, filters: [{ afterUs, filter }], endedAtUs: Number.POSITIVE_INFINITY };
    this.tracked.push(tracked);
    client.subscription = this.#fanout.subscribe(client, filter, asked);
    // Nothing for it may be known to lie behind that.
    expect(positionOf(client)).toBeGreaterThanOrEqual(afterUs);
    return tracked;
  }

  /** A client that is told of progress loses its connection, and comes again with all that it knows. */
  reconnect(tracked: Tracked): void {
    const { client, filters } = tracked;
    this.end(tracked);
    const knownUs = Math.max(
      filters[0].afterUs,
      client.reports.at(-1)?.positionUs ?? 0,
      client.gaps.at(-1)?.row.toUs ?? 0,
      client.texts.length === 0 ? 0 : JSON.parse(client.texts.at(-1) as string).time_us,
    );
    const filter = filters.at(-1)?.filter as Filter;
    this.again.push([tracked, this.#connect(filter, knownUs, true)]);
  }

  changeFilter(tracked: Tracked): void {
    const filter = this.#filter();
    tracked.filters.push({ afterUs: positionOf(tracked.client), filter });
    tracked.client.subscription?.setFilter(filter);
    // A change moves nobody.
    expect(positionOf(tracked.client)).toBe(tracked.filters.at(-1)?.afterUs);
  }

  end(tracked: Tracked): void {
    tracked.endedAtUs = positionOf(tracked.client);
    tracked.client.end();
  }

  async step(): Promise<void> {
    // Deletions point at what their record pointed at.
    const count = Math.floor(this.#random() ** 3 * 40);
    const sealed = this.sample.block(count, () => this.#chance(0.02) && this.#cover());
    if (this.#chance(0.1)) this.#cover();
    const block = await this.#log.resolve(sealed);
    await this.#log.append(block);
    this.gaps.push(...(block.coverage ?? []).filter(isNoticed));
    this.#stored.push(block);
    if (this.#chance(0.3)) await nextRound();
    for (let joins = this.#random() * 4; joins > 1; joins--) this.join();
    for (const tracked of this.tracked) {
      if (tracked.client.hasEnded) continue;
      if (this.#chance(0.02)) this.changeFilter(tracked);
      if (this.#chance(0.004)) this.end(tracked);
      else if (tracked.client.wantsGaps && this.#chance(0.02)) this.reconnect(tracked);
    }
    if (this.#chance(0.6)) this.publish();
    for (const client of this.clients) if (client.isFull && this.#chance(0.4)) client.drain();
    if (this.#chance(0.3)) await nextRound();
  }

  /** Something is found, at this place or at the one that was marked last. */
  #cover(): void {
    const place = this.#chance(0.3) ? this.#marked : undefined;
    this.#marked = this.#chance(0.5) ? this.sample.builder.mark() : undefined;
    const relay = `relay${this.#relays++ % 40}.test`;
    this.sample.builder.cover({ reason: this.#pick(coverageReasons), relay }, place);
  }

  publish(): void {
    const blocks = this.#stored;
    this.#stored = [];
    if (this.#chance(0.5)) this.#fanout.publish(blocks);
    else for (const block of blocks) this.#fanout.publish([block]);
  }

  expected({ filters, endedAtUs }: Tracked): { timeUs: number; text: string }[] {
    const wanted = this.sample.events.filter((event) => {
      const holds = filters.filter(({ afterUs }) => afterUs < event.time_us).at(-1);
      if (holds === undefined || event.time_us > endedAtUs) return false;
      const isWanted = matches(holds.filter, event, this.sample.subjects.get(event.time_us));
      if (isWanted && holds.filter.subjects.size > 0 && event.commit?.operation === 'delete') {
        this.deletionsBySubject++;
      }
      return isWanted;
    });
    return wanted.map((event) => ({ timeUs: event.time_us, text: JSON.stringify(event) }));
  }

  /** Places of the gaps that a client is told of, each with the events that it has got before. */
  expectedGaps({ client, filters, endedAtUs }: Tracked, events: readonly { timeUs: number }[]): number[][] {
    if (!client.wantsGaps) return [];
    const told = this.gaps.filter(({ toUs }) => toUs > filters[0].afterUs && toUs <= endedAtUs);
    return told.map(({ toUs }) => [toUs, events.filter(({ timeUs }) => timeUs < toUs).length]);
  }
}

function positionOf(client: FakeClient): number {
  return (client.subscription as Subscriber).positionUs;
}

async function openLog(): Promise<LevelLog> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-delivery-'));
  // A tail of a few blocks, so that memory, LevelDB and the tip are all crossed.
  const log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 60_000,
    fsync: false,
    compressor: fakeCompressor,
  });
  onTestFinished(async () => {
    await log.close();
    await rm(dataDir, { recursive: true });
  });
  return log;
}

test.for([41, 42, 43, 44])(
  'every one of hundreds gets exactly what its filters let through, in order (seed %i)',
  async (seed) => {
    const log = await openLog();
    const random = seededRandom(seed);
    const fanout = new Fanout(log, addressTable(), (error) => expect.unreachable(String(error)), {
      progressIntervalMs: 5,
      // Small enough that publications wait for each other, and that all subscribers fall behind now and then.
      publishBytesMax: 8_000,
      unpublishedBytesMax: 25_000,
    });
    const scene = new Scene(log, fanout, random);
    for (let step = 0; step < 160; step++) await scene.step();
    scene.publish();
    const expected = scene.tracked.map((tracked) => scene.expected(tracked));
    const total = expected.reduce((sum, events) => sum + events.length, 0);
    const received = (): number => scene.tracked.reduce((sum, { client }) => sum + client.texts.length, 0);
    const goOn = (): number => {
      for (const client of scene.clients) if (client.isFull) client.drain();
      return received();
    };
    await expect.poll(goOn).toBeGreaterThanOrEqual(total);
    // Whatever comes too often would come now.
    for (let round = 0; round < 100; round++) {
      goOn();
      await nextRound();
    }
    let told = 0;
    for (const [at, { client }] of scene.tracked.entries()) {
      const hint = `seed ${seed}, client ${at}`;
      expect(client.texts, hint).toEqual(expected[at].map(({ text }) => text));
      const gaps = client.gaps.map(({ row, received }) => [row.toUs, received]);
      expect(gaps, hint).toEqual(scene.expectedGaps(scene.tracked[at], expected[at]));
      told += gaps.length;
      for (const report of client.reports) {
        const before = expected[at].filter(({ timeUs }) => timeUs <= report.positionUs);
        expect(report.received, `${hint}: a report at ${report.positionUs}`).toBe(before.length);
      }
    }
    expect(scene.tracked.length).toBeGreaterThan(200);
    expect(total).toBeGreaterThan(20_000);
    expect(scene.again.length).toBeGreaterThan(50);
    for (const [{ client: before }, { client }] of scene.again) {
      const gaps = [...before.gaps, ...client.gaps].map(({ row }) => row.toUs);
      expect(gaps).toEqual([...new Set(gaps)].sort((one, other) => one - other));
      const texts = [...before.texts, ...client.texts];
      expect(new Set(texts).size).toBe(texts.length);
    }
    expect(scene.gaps.length).toBeGreaterThan(10);
    expect(told).toBeGreaterThan(500);
    expect(scene.deletionsBySubject).toBeGreaterThan(100);
    expect(fanout.totals.events).toBe(total);
    for (const { client } of scene.tracked) client.end();
    expect(fanout.stats()).toMatchObject({ subscribers: 0, live: 0, slowestLagUs: 0 });
    expect([fanout.groups.size, fanout.groups.wantedDids, fanout.groups.unfiltered.size]).toEqual([0, 0, 0]);
  },
);
