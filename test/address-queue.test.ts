import { expect, test } from 'vitest';
import { AddressQueue } from '../lib/address-queue.ts';

function all(queue: AddressQueue<string>, mayTake?: (address: string) => boolean): string[] {
  const items: string[] = [];
  for (let item = queue.shift(mayTake); item !== undefined; item = queue.shift(mayTake)) items.push(item);
  return items;
}

test('turns go from address to address, each oldest first', () => {
  const queue = new AddressQueue<string>();
  expect([queue.isEmpty, queue.shift()]).toEqual([true, undefined]);
  for (const item of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) queue.push(item[0], item);
  expect([queue.shift(), queue.shift()]).toEqual(['a1', 'b1']);
  queue.push('d', 'd1');
  expect(queue.isEmpty).toBe(false);
  expect(all(queue)).toEqual(['c1', 'a2', 'b2', 'd1', 'a3', 'a4']);
  expect(queue.isEmpty).toBe(true);
});

test('an address that may not be taken from keeps its place', () => {
  const queue = new AddressQueue<string>();
  for (const item of ['a1', 'b1', 'a2', 'c1']) queue.push(item[0], item);
  expect(all(queue, (address) => address !== 'a')).toEqual(['b1', 'c1']);
  expect(all(queue)).toEqual(['a1', 'a2']);
});

test('a long line is taken in order, also while it grows', () => {
  const queue = new AddressQueue<string>();
  const taken: string[] = [];
  for (let item = 0; item < 1000; item++) {
    queue.push('a', String(item));
    if (item % 3 > 0) taken.push(queue.shift() as string);
  }
  taken.push(...all(queue));
  expect(taken).toEqual(Array.from({ length: 1000 }, (_, item) => String(item)));
});

test.each([
  ['a /24', (at: number) => `192.0.2.${at}`, '198.51.100.1'],
  ['a /48', (at: number) => `2001:db8:1:${at.toString(16)}::/64`, '2001:db8:2:1::/64'],
])(
  'who has all of %s has the turns of one network: an honest address keeps half',
  (_what, hostile, honest) => {
    const queue = new AddressQueue<string>();
    for (let at = 0; at < 200; at++) for (let of = 0; of < 3; of++) queue.push(hostile(at), 'hostile');
    const taken: (string | undefined)[] = [];
    for (let turn = 0; turn < 100; turn++) {
      // It comes again when it has had its turn.
      if (taken.at(-1) !== 'hostile') queue.push(honest, 'honest');
      taken.push(queue.shift());
    }
    expect(taken.filter((item) => item === 'honest')).toHaveLength(50);
  },
);

test('within a network a hostile address leaves half to an honest one', () => {
  const queue = new AddressQueue<string>();
  for (let of = 0; of < 50; of++) queue.push('192.0.2.66', 'hostile');
  for (let of = 0; of < 3; of++) queue.push('192.0.2.1', 'honest');
  expect(Array.from({ length: 6 }, () => queue.shift()).filter((item) => item === 'honest')).toHaveLength(3);
});
