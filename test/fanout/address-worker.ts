// One thread of the contention test: connects and leaves at random, and checks the limits by counters of its own that all
// threads share.

import { parentPort, workerData } from 'node:worker_threads';
import { AddressTable } from '../../lib/fanout/address-table.ts';
import { seededRandom } from '../support/events.ts';

/** What a thread is started with. */
export interface AddressWork {
  readonly memory: SharedArrayBuffer;
  /** Int32: connections by address, then all of them. */
  readonly counters: SharedArrayBuffer;
  readonly addresses: number;
  readonly rounds: number;
  readonly seed: number;
}

const { memory, counters, addresses, rounds, seed } = workerData as AddressWork;
const table = new AddressTable(memory);
const counts = new Int32Array(counters);
const random = seededRandom(seed);
const held: number[] = [];
const refusals = { too_many: 0, too_many_of_address: 0 };
const nameOf = (address: number): string => `192.0.2.${address}`;

function leave(): void {
  const [address] = held.splice(Math.floor(random() * held.length), 1);
  Atomics.sub(counts, address, 1);
  Atomics.sub(counts, addresses, 1);
  table.release(nameOf(address));
  table.leave(nameOf(address));
}

for (let round = 0; round < rounds; round++) {
  if (held.length > 0 && random() < 0.45) {
    leave();
    continue;
  }
  const address = Math.floor(random() ** 2 * addresses);
  const entry = table.enter(nameOf(address));
  if (entry !== 'entered') {
    refusals[entry]++;
    continue;
  }
  table.hold(nameOf(address))?.take(1);
  held.push(address);
  const { subscribersMax, subscribersPerAddressMax } = table.limits;
  if (Atomics.add(counts, address, 1) >= subscribersPerAddressMax) throw new Error('too many of an address');
  if (Atomics.add(counts, addresses, 1) >= subscribersMax) throw new Error('too many');
}
while (held.length > 0) leave();
parentPort?.postMessage(refusals);
