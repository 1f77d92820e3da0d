import { expect, test } from 'vitest';
import { EventSample } from '../../../cmd/train-dictionary/event-sample.ts';

function sampled(eventsMax: number, seed: string, offers: number, accounts: number): EventSample {
  const sample = new EventSample(eventsMax, seed);
  for (let at = 0; at < offers; at++) sample.offer(`account ${at % accounts}`, `${at}`);
  return sample;
}

function numbers(texts: readonly Buffer[]): number[] {
  return texts.map((text) => Number(text.toString()));
}

test('keeps everything while there is room', () => {
  const sample = sampled(1_000, 's', 1_000, 1_000);
  expect([sample.size, sample.offered]).toEqual([1_000, 1_000]);
  const { train, heldOut } = sample.split();
  expect([...numbers(train), ...numbers(heldOut)].toSorted((a, b) => a - b)).toEqual([
    ...Array(1_000).keys(),
  ]);
});

test('is the same for the same seed, and another for another', () => {
  const [one, same, other] = ['a', 'a', 'b'].map((seed) => sampled(1_000, seed, 20_000, 20_000).split());
  expect(same).toEqual(one);
  expect(other.train).not.toEqual(one.train);
  expect(other.heldOut).not.toEqual(one.heldOut);
});

test('every event has the same chance, whenever it came', () => {
  const tenths = Array<number>(10).fill(0);
  for (let seed = 0; seed < 20; seed++) {
    const { train, heldOut } = sampled(1_000, `${seed}`, 10_000, 10_000).split();
    for (const at of [...numbers(train), ...numbers(heldOut)]) tenths[Math.floor(at / 1_000)]++;
  }
  // 2,000 are expected of each; the standard deviation is 42.
  for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(250);
});

test('no account is on both sides, and about a tenth of them is held out', () => {
  const sample = new EventSample(10_000, 's');
  for (let at = 0; at < 10_000; at++) sample.offer(`account ${at % 2_000}`, `${at % 2_000}`);
  const { train, heldOut } = sample.split();
  const trained = new Set(numbers(train));
  expect(numbers(heldOut).filter((account) => trained.has(account))).toEqual([]);
  expect(train.length + heldOut.length).toBe(10_000);
  expect(heldOut.length).toBeGreaterThan(700);
  expect(heldOut.length).toBeLessThan(1_300);
});

test('an account that writes without end gets a thousandth of the sample, or ten events', () => {
  for (const [eventsMax, most] of [
    [20_000, 20],
    [1_000, 10],
  ] as const) {
    const sample = new EventSample(eventsMax, 's');
    for (let at = 0; at < 3 * eventsMax; at++) {
      sample.offer('busy', 'busy');
      sample.offer('busy', 'busy');
      sample.offer(`account ${at}`, `${at}`);
    }
    const { train, heldOut } = sample.split();
    const busy = [...train, ...heldOut].filter((text) => text.toString() === 'busy').length;
    expect(busy).toBeGreaterThan(0);
    expect(busy).toBeLessThanOrEqual(most);
    expect(sample.size).toBe(eventsMax);
  }
});

test('what has left the sample does not count against its account', () => {
  let kept = 0;
  for (let seed = 0; seed < 20; seed++) {
    const sample = new EventSample(1_000, `${seed}`);
    for (let at = 0; at < 50_000; at++)
      sample.offer(at % 200 === 0 ? 'regular' : `account ${at}`, `${at % 200}`);
    const { train, heldOut } = sample.split();
    kept += numbers([...train, ...heldOut]).filter((number) => number === 0).length;
  }
  // 5 of 1,000 are expected each time; the ten that an account may have are reached early, and leave again.
  expect(kept).toBeGreaterThan(60);
});
