// Slices of short work, with a clock that is the test's: how long work and everything else take is what the test says.

import { expect, test, vi } from 'vitest';
import { Slices } from '../../lib/session/slices.ts';
import { clock, useWorkClock, work } from './work-clock.ts';

useWorkClock();

/** A pass of the event loop in which everything else takes so long. */
function pass(othersMs: number): void {
  clock.nowMs += othersMs;
  vi.advanceTimersToNextTimer();
}

test('where nothing else is due, short work goes on without a rest, a millisecond at a time', () => {
  const slices = new Slices();
  const done: string[] = [];
  for (let asked = 0; asked < 12; asked++) slices.take('a', work(done, 'short', 0.25));
  expect([done.length, slices.isCrowded]).toEqual([4, true]);
  pass(0);
  expect(done).toHaveLength(8);
  pass(0);
  expect([done.length, slices.isCrowded]).toEqual([12, false]);
});

test('a slice is as long as everything else took since the one before, up to a bound', () => {
  const slices = new Slices();
  const done: string[] = [];
  for (let asked = 0; asked < 200; asked++) slices.take('a', work(done, 'short', 0.25));
  expect(done).toHaveLength(4);
  pass(5);
  expect(done).toHaveLength(24);
  pass(50);
  expect(done).toHaveLength(64);
});

test('what comes while there is room in the slice is done at once', () => {
  const slices = new Slices();
  const done: string[] = [];
  slices.take('a', work(done, 'first', 0.5));
  slices.take('b', work(done, 'second', 0.5));
  slices.take('c', work(done, 'third', 0.5));
  expect(done).toEqual(['first', 'second']);
  pass(0);
  slices.take('d', work(done, 'fourth', 0.25));
  expect(done).toEqual(['first', 'second', 'third', 'fourth']);
});

test('long work is rested from as long as it took', () => {
  const slices = new Slices();
  const done: string[] = [];
  slices.take('a', work(done, 'long', 8));
  slices.take('a', work(done, 'next', 1));
  vi.advanceTimersByTime(7);
  expect(done).toEqual(['long']);
  vi.advanceTimersByTime(1);
  expect(done).toEqual(['long', 'next']);
});

test('an address that asks often waits for itself', () => {
  const slices = new Slices();
  const done: string[] = [];
  for (let asked = 0; asked < 4; asked++) slices.take('greedy', work(done, `greedy ${asked}`, 1));
  slices.take('honest', work(done, 'honest', 1));
  for (let passes = 0; passes < 4; passes++) pass(0);
  expect(done).toEqual(['greedy 0', 'greedy 1', 'honest', 'greedy 2', 'greedy 3']);
});
