import { expect, test } from 'vitest';
import type { StreamEvent } from '../lib/event.ts';
import { Position } from '../lib/position.ts';
import { postEvent } from './v1-server.ts';

const event = (name: string, timeUs: number) => postEvent(name, timeUs) as StreamEvent;
const progress = (timeUs: number) => ({ timeUs, cursor: timeUs + 1, lagUs: 0, live: true });
const second = 1_000_000;
const start = 100 * second;

test('nothing has arrived: where the caller wants to start', () => {
  expect(new Position(undefined)).toMatchObject({ nextCursor: undefined, safeCursor: undefined });
  expect(new Position(17)).toMatchObject({ nextCursor: 17, safeCursor: 17 });
});

test('an inexact server is asked for the last two seconds again, but for nothing from before the start', () => {
  const position = new Position(100 * second);
  position.take(event('a', 101 * second));
  expect(position).toMatchObject({ nextCursor: 100 * second, safeCursor: 101 * second });
  position.take(event('b', 110 * second));
  expect(position).toMatchObject({ nextCursor: 108 * second, safeCursor: 110 * second });
});

test('events that share a time, come late or come again are told apart', () => {
  const position = new Position(undefined);
  expect(position.take(event('a', 5 * second))).toBe(true);
  expect(position.take(event('b', 5 * second))).toBe(true);
  expect(position.take(event('late', 4 * second))).toBe(true);
  for (const name of ['a', 'b']) expect(position.take(event(name, 5 * second))).toBe(false);
  // The same event with the time of another server.
  expect(position.take(event('late', 6 * second))).toBe(false);
  expect(position.newestUs).toBe(5 * second);
});

test('kinds of events have keys of their own', () => {
  const position = new Position(undefined);
  const base = { did: 'did:plc:a', time_us: 1 };
  const deleted = { ...event('a', 1), commit: { ...postEvent('a', 1), operation: 'delete' } };
  const events = [
    { ...base, kind: 'identity', identity: { seq: 1 } },
    { ...base, kind: 'account', account: { seq: 1 } },
    { ...base, kind: 'account', account: { seq: 2 } },
    event('a', 1),
    deleted,
  ] as StreamEvent[];
  expect(events.map((one) => position.take(one))).toEqual([true, true, true, true, true]);
  expect(events.map((one) => position.take(one))).toEqual([false, false, false, false, false]);
});

test('progress makes a server exact: its times rise, and the cursor moves without events', () => {
  const position = new Position(undefined);
  position.take(event('a', 5 * second));
  position.advance(progress(9 * second));
  expect(position).toMatchObject({ isReported: true, newestUs: 9 * second });
  expect(position).toMatchObject({ nextCursor: 9 * second + 1, safeCursor: 9 * second + 1 });
  expect(position.take(event('b', 9 * second))).toBe(false);
  expect(position.take(event('b', 9 * second + 1))).toBe(true);
  expect(position.nextCursor).toBe(9 * second + 2);
});

test('a new filter is not asked for what was before it', () => {
  const position = new Position(undefined);
  position.take(event('a', 5 * second));
  position.filterChanged();
  expect(position.nextCursor).toBe(5 * second);
  position.take(event('b', 6 * second));
  expect(position.nextCursor).toBe(5 * second);
});

test('what is remembered is bounded, and nothing that was forgotten is asked for', () => {
  const position = new Position(undefined);
  const count = 32_768 + 100;
  for (let at = 0; at < count; at++) position.take(event(String(at), 10 * second + at));
  expect(position.nextCursor).toBe(10 * second + 100);
  for (const [at, isNew] of [
    [100, false],
    [99, true],
  ] as const) {
    expect(position.take(event(String(at), 10 * second + at))).toBe(isNew);
  }
});

test('events that a server took in anew after a crash, with new times, are known', () => {
  const position = new Position(undefined);
  for (let at = 0; at < 5_000; at++) position.take(event(String(at), 10 * second + at * 1_000));
  for (let at = 0; at < 5_000; at++) {
    expect(position.take(event(String(at), 100 * second + at))).toBe(false);
  }
});

test('a number of the server in place of its time: nothing comes twice, and the time may go back', () => {
  const position = new Position(3);
  expect(position.take({ ...event('a', 9 * second), seq: 5 })).toBe(true);
  expect(position).toMatchObject({ nextCursor: 6, safeCursor: 6, newestUs: 9 * second, isReported: false });
  expect(position.take({ ...event('a', 9 * second), seq: 5 })).toBe(false);
  expect(position.take({ ...event('b', 8 * second), seq: 7 })).toBe(true);
  expect(position).toMatchObject({ nextCursor: 8, newestUs: 9 * second });
});

test('names that are long are remembered within a bound, and a new connection goes back less far', () => {
  const position = new Position(undefined);
  const long = (rkey: string, timeUs: number) => postEvent(`${rkey}${'x'.repeat(1024 * 1024)}`, timeUs);
  for (let at = 0; at < 40; at++) expect(position.take(long(`r${at}-`, start + at) as never)).toBe(true);
  expect(position.take(long('r39-', start + 39) as never)).toBe(false);
  expect(position.nextCursor).toBeGreaterThan(start);
  expect(position.take(long('r0-', start) as never)).toBe(true);
});
