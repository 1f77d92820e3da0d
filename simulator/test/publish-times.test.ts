import { expect, it } from 'vitest';
import { PublishTimes } from '../lib/publish-times.ts';

it('tells the time at which a position was published, in whatever order it is asked', () => {
  const times = new PublishTimes();
  expect(times.at(5)).toBeUndefined();
  for (let position = 0; position < 1000; position += 10) times.note(position, 5000 + position);
  times.note(1000, 5990);
  for (const position of [999, 0, 9, 10, 515, 514, 3, 990, 1500]) {
    expect(times.at(position)).toBe(5000 + Math.min(990, Math.floor(position / 10) * 10));
  }
});

it('keeps a bounded number, the newest', () => {
  const times = new PublishTimes();
  for (let position = 0; position < 1_600_000; position++) times.note(position, position);
  expect(times.at(1_599_999)).toBe(1_599_999);
  expect(times.at(1_100_000)).toBe(1_100_000);
  expect(times.at(0)).toBe(1_000_000);
});
