// When silence is death.

import { expect, test } from 'vitest';
import { type LivenessStep, RelayLiveness } from '../../lib/upstream/relay-liveness.ts';

const intervalMs = 100;

/** One tick per interval: bytes received so far, with `p` for paused. */
function walk(liveness: RelayLiveness, ticks: (number | `${number}p`)[], fromMs = 0): LivenessStep[] {
  return ticks.map((tick, i) =>
    at(liveness, Number.parseInt(`${tick}`, 10), String(tick).endsWith('p'), fromMs + i * intervalMs),
  );
}

test('bytes after every ping keep it alive, silence after one is death', () => {
  expect(walk(new RelayLiveness(intervalMs), [0, 2, 4, 4])).toEqual(['ping', 'ping', 'ping', 'dead']);
});

test('a connection that has received nothing at all is asked before it is judged', () => {
  expect(walk(new RelayLiveness(intervalMs), [0, 0])).toEqual(['ping', 'dead']);
});

test('silence while paused proves nothing, nor does the ping that was sent meanwhile', () => {
  const liveness = new RelayLiveness(intervalMs);
  expect(walk(liveness, [10, '10p', '10p', '10p'])).toEqual(['ping', 'ping', 'ping', 'ping']);
  liveness.resumed();
  expect(walk(liveness, [10, 10], 400)).toEqual(['ping', 'dead']);
});

test('a pause within one interval excuses that interval', () => {
  const liveness = new RelayLiveness(intervalMs);
  walk(liveness, [10]);
  liveness.resumed();
  expect(walk(liveness, [10, 10], 100)).toEqual(['ping', 'dead']);
});

test('a tick that comes too early waits for the answer, the next one does not', () => {
  const liveness = new RelayLiveness(intervalMs);
  expect(at(liveness, 10, false, 250)).toBe('ping');
  expect(at(liveness, 10, false, 251)).toBe('wait');
  expect(at(liveness, 10, false, 349.5)).toBe('dead');
});

test('a tick that is judged long after input was read counts the time until then only', () => {
  const liveness = new RelayLiveness(intervalMs);
  expect(liveness.tick(10, false, 250, 400)).toBe('ping');
  expect(liveness.tick(10, false, 401, 600)).toBe('wait');
  expect(liveness.tick(10, false, 500, 600)).toBe('dead');
});

/** A tick of an event loop that nothing holds up. */
function at(liveness: RelayLiveness, bytesRead: number, paused: boolean, nowMs: number): LivenessStep {
  return liveness.tick(bytesRead, paused, nowMs, nowMs);
}
