import { expect, test, vi } from 'vitest';
import { Turns } from '../../lib/session/turns.ts';
import { useWorkClock, work } from './work-clock.ts';

useWorkClock();

test('work is done at once when nothing is under way, and rested from as long as it took', () => {
  const turns = new Turns();
  const done: string[] = [];
  turns.take('a', work(done, 'first', 40));
  turns.take('b', work(done, 'second', 7));
  turns.take('b', work(done, 'third', 7));
  expect(done).toEqual(['first']);
  vi.advanceTimersByTime(39);
  expect(done).toEqual(['first']);
  vi.advanceTimersByTime(1);
  expect(done).toEqual(['first', 'second']);
  vi.advanceTimersByTime(6);
  expect(done).toEqual(['first', 'second']);
  vi.advanceTimersByTime(1);
  expect(done).toEqual(['first', 'second', 'third']);
});

test('an address that asks often waits for itself', () => {
  const turns = new Turns();
  const done: string[] = [];
  for (let asked = 0; asked < 5; asked++) turns.take('greedy', work(done, `greedy ${asked}`, 10));
  turns.take('honest', work(done, 'honest', 10));
  turns.take('other', work(done, 'other', 10));
  for (let rests = 0; rests < 10; rests++) vi.advanceTimersByTime(10);
  expect(done).toEqual(['greedy 0', 'greedy 1', 'honest', 'other', 'greedy 2', 'greedy 3', 'greedy 4']);
});

test('many short pieces are rested from as one long one', () => {
  const turns = new Turns();
  const done: string[] = [];
  for (let asked = 0; asked < 1000; asked++) turns.take('a', work(done, 'short', 0.25));
  expect(done).toHaveLength(4);
  vi.advanceTimersByTime(1);
  expect(done).toHaveLength(8);
  vi.advanceTimersByTime(248);
  expect(done).toHaveLength(1000);
});
