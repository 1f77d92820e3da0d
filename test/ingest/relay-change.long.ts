// From one relay to another and back, in front of a whole daemon: the same commits under other numbers and in another order. Each
// comes once, whatever happens in between, and the ledger says where that cannot be.

import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { LinkTiming } from '../../lib/ingest/relay-link.ts';
import { Daemon } from '../support/daemon.ts';
import { commitOf, HistoryRelay, type NetworkFrame, networkFrames } from './history-relay.ts';

const soon: Partial<LinkTiming> = { retryMinMs: 5, retryFirstMs: 20, retryMaxMs: 40, searchQuietMs: 300 };
const stepMs = 100;

/** Neighbours exchanged here and there: no two relays have quite the same order. */
function inAnotherOrder(frames: readonly NetworkFrame[]): NetworkFrame[] {
  const other = [...frames];
  for (let at = 3; at + 4 < other.length; at += 7) {
    [other[at], other[at + 3]] = [other[at + 3], other[at]];
  }
  return other;
}

/** Every commit that is stored and sent from now on, once for each event of it. */
class Commits implements Disposable {
  readonly events: string[] = [];
  readonly #socket: WebSocket;

  constructor(daemon: Daemon) {
    this.#socket = new WebSocket(`${daemon.url}?cursor=0`);
    this.#socket.on('message', (data: Buffer) => {
      const { did, commit } = JSON.parse(`${data}`);
      this.events.push(`${did} ${commit.rev} ${commit.collection} ${commit.rkey}`);
    });
  }

  /** Waits until that many commits have come, then checks that no event came twice. */
  async some(frames: readonly NetworkFrame[]): Promise<void> {
    const wanted = new Set(frames.map(commitOf));
    const missing = (): number => {
      const came = new Set(this.events.map((event) => event.split(' ', 2).join(' ')));
      return [...wanted].filter((commit) => !came.has(commit)).length;
    };
    await expect.poll(missing, { timeout: 15_000 }).toBe(0);
    expect(this.events.length).toBe(new Set(this.events).size);
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}

/** Publishes up to, not including, that frame. */
function publisher(relay: HistoryRelay, frames: readonly NetworkFrame[]): (end: number) => void {
  let published = 0;
  return (end) => {
    relay.publish(frames.slice(published, end));
    published = end;
  };
}

function outcomes(daemon: Daemon, name: string): Promise<number> {
  return daemon.metric(`slipstream_relay_outcomes_total{outcome="${name}"}`);
}

test('from one relay to another, and back: each commit once', async () => {
  const frames = await networkFrames(1200, stepMs);
  await using one = await HistoryRelay.listen(30_000_000_001);
  await using two = await HistoryRelay.listen(700_001);
  const publishOne = publisher(one, frames);
  const publishTwo = publisher(two, inAnotherOrder(frames));
  publishOne(300);
  publishTwo(310);
  await using daemon = await Daemon.start(['--ws-url', `${one.url},${two.url}`], soon);
  await expect.poll(() => one.cursors.length).toBe(1);
  publishOne(500);
  publishTwo(520);
  using all = new Commits(daemon);
  await all.some(frames.slice(300, 500));

  one.goDown();
  await expect.poll(() => outcomes(daemon, 'relay_changed')).toBe(1);
  publishTwo(800);
  await all.some(frames.slice(300, 790));

  one.isDown = false;
  publishOne(900);
  two.goDown();
  await expect.poll(() => outcomes(daemon, 'relay_changed')).toBe(2);
  publishOne(1200);
  await all.some(frames.slice(300));
  expect(await outcomes(daemon, 'relay_gap')).toBe(0);
  expect(await outcomes(daemon, 'new_numbering')).toBe(0);
});

test('a daemon that is started with another relay goes on where it was', async () => {
  const frames = await networkFrames(1000, stepMs);
  await using one = await HistoryRelay.listen(30_000_000_001);
  await using two = await HistoryRelay.listen(5_000_000_001);
  const publishOne = publisher(one, frames);
  const publishTwo = publisher(two, inAnotherOrder(frames));
  await using daemon = await Daemon.start(['--ws-url', one.url], soon);
  await expect.poll(() => one.cursors.length).toBe(1);
  publishOne(400);
  await expect
    .poll(() => daemon.metric(`slipstream_upstream_sequence{relay="${new URL(one.url).host}"}`))
    .toBe(30_000_000_400);
  await daemon.service.stop();
  publishTwo(700);
  await daemon.restart(['--ws-url', two.url], soon);
  await expect.poll(() => outcomes(daemon, 'relay_changed'), { timeout: 10_000 }).toBe(1);
  publishTwo(850);
  using all = new Commits(daemon);
  await all.some(frames.slice(0, 840));
  await daemon.service.stop();
  publishOne(1000);
  await daemon.restart(['--ws-url', one.url], soon);
  using again = new Commits(daemon);
  await again.some(frames);
  // All that the relay sent from its own place on is known of it: nothing lies between.
  expect(await outcomes(daemon, 'relay_gap')).toBe(0);
});

test('what the other relay keeps no longer is a hole', async () => {
  const frames = await networkFrames(1000, stepMs);
  await using one = await HistoryRelay.listen(1);
  await using two = await HistoryRelay.listen(900_000);
  const publishOne = publisher(one, frames);
  const publishTwo = publisher(two, frames);
  await using daemon = await Daemon.start(['--ws-url', one.url], soon);
  await expect.poll(() => one.cursors.length).toBe(1);
  publishOne(400);
  using all = new Commits(daemon);
  await all.some(frames.slice(0, 400));
  await daemon.service.stop();
  publishTwo(800);
  two.keep(200);
  await daemon.restart(['--ws-url', two.url], soon);
  await expect.poll(() => two.cursors.length).toBeGreaterThan(0);
  await expect.poll(() => outcomes(daemon, 'relay_changed'), { timeout: 10_000 }).toBe(1);
  publishTwo(1000);
  using again = new Commits(daemon);
  await again.some([...frames.slice(0, 400), ...frames.slice(600)]);
  const told = daemon.lines.map((line) => JSON.parse(line)).filter(({ name }) => name === 'relay_changed');
  // Not the cursor that was asked for: the first frame that came.
  expect(told).toMatchObject([{ isHole: true, to: 900_600 }]);
});

test('siblings share their numbers: nothing is searched', async () => {
  const frames = await networkFrames(300, stepMs);
  await using one = await HistoryRelay.listen(5_001);
  await using two = await HistoryRelay.listen(5_001);
  const publishOne = publisher(one, frames);
  const publishTwo = publisher(two, frames);
  await using daemon = await Daemon.start(['--ws-url', `${one.url}|${two.url}`], soon);
  await expect.poll(() => one.cursors.length).toBe(1);
  publishOne(100);
  publishTwo(90);
  using all = new Commits(daemon);
  await all.some(frames.slice(0, 100));
  one.goDown();
  // The replica is behind, and says so; then it has caught up.
  await expect.poll(() => two.cursors.length).toBeGreaterThan(0);
  publishTwo(300);
  await all.some(frames);
  expect(new Set(two.cursors)).toEqual(new Set([5_100]));
  expect(await outcomes(daemon, 'relay_changed')).toBe(0);
  expect(await outcomes(daemon, 'relay_gap')).toBe(0);
});

test('a daemon that is stopped while it looks for its place has its place still', async () => {
  const frames = await networkFrames(200, stepMs);
  await using one = await HistoryRelay.listen(1);
  await using two = await HistoryRelay.listen(900_000);
  const publishOne = publisher(one, frames);
  const publishTwo = publisher(two, frames);
  await using daemon = await Daemon.start(['--ws-url', one.url], soon);
  await expect.poll(() => one.cursors.length).toBe(1);
  publishOne(100);
  using all = new Commits(daemon);
  await all.some(frames.slice(0, 100));
  await daemon.service.stop();
  publishTwo(100);
  // It says nothing by itself, and is given long.
  await daemon.restart(['--ws-url', two.url], { ...soon, searchQuietMs: 60_000 });
  await expect.poll(() => two.readers).toBe(1);
  await daemon.service.stop();
  await daemon.restart(['--ws-url', one.url], soon);
  publishOne(200);
  using again = new Commits(daemon);
  await again.some(frames);
  expect(one.cursors).toEqual([undefined, 100]);
});
