import { expect, test } from 'vitest';
import { Readiness } from '../../lib/monitor/readiness.ts';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';

function started() {
  const clock = { atMs: 1_000_000 };
  const queue = { idleMs: 12, writingMs: 0, stalledBy: undefined as string | undefined };
  const link = {
    relay: parseRelayUrl('wss://user:secret@relay.example') as { id: string } | undefined,
    ingest: { queue },
  };
  const readiness = new Readiness(link as never, undefined, () => clock.atMs);
  readiness.isListening = true;
  readiness.answered();
  const failing = () =>
    Object.entries(readiness.checks())
      .filter(([, { ok }]) => !ok)
      .map(([name, { detail }]) => `${name}: ${detail}`);
  return { clock, queue, link, readiness, failing };
}

test('all is well', () => {
  const { readiness, failing } = started();
  expect(failing()).toEqual([]);
  expect(Object.keys(readiness.checks())).toEqual(['relay', 'frames', 'log', 'listener', 'threads']);
  expect(JSON.stringify(readiness.checks())).not.toContain('secret');
});

test('each of the things that can be wrong is', () => {
  const { clock, queue, link, readiness, failing } = started();
  clock.atMs += 10_000;
  queue.idleMs = 60_000;
  queue.writingMs = 10_000;
  expect(failing()).toEqual([]);
  clock.atMs += 5_000;
  queue.idleMs = 60_001;
  queue.writingMs = 12_000;
  link.relay = undefined;
  readiness.isListening = false;
  expect(failing()).toEqual([
    'relay: no relay is connected',
    'frames: the newest event came 60 s ago',
    'log: a write has taken 12 s',
    'listener: it is not open',
    'threads: they answered 15 s ago',
  ]);
  queue.stalledBy = 'LOG_DISK_FULL';
  expect(failing()).toContain('log: LOG_DISK_FULL');
});

test('nothing is ready before it has begun', () => {
  const relay = undefined;
  const readiness = new Readiness({
    relay,
    ingest: { queue: { idleMs: Infinity, writingMs: 0, stalledBy: undefined } },
  });
  const wrong = Object.entries(readiness.checks()).filter(([, { ok }]) => !ok);
  expect(wrong.map(([name]) => name)).toEqual(['relay', 'frames', 'listener', 'threads']);
});
