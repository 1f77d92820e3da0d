import { expect, test } from 'vitest';
import { ClusterCounts, leaseNotes } from '../../lib/cluster/cluster-counts.ts';
import { Lease } from '../../lib/cluster/lease.ts';
import { machineClock, type WriterClock } from '../../lib/cluster/stream-writer.ts';
import { FakeLease } from './fake-engine.ts';

/** Waits until it is told to go on, and says for how long it was asked to. */
class StepClock implements WriterClock {
  readonly nowMs = (): number => 0;
  #asked = Promise.withResolvers<number>();
  #goOn: (() => void) | undefined;

  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve());
      this.#goOn = resolve;
      this.#asked.resolve(ms);
    });

  /** The wait that is under way, in milliseconds. */
  get waiting(): Promise<number> {
    return this.#asked.promise;
  }

  /** Ends it; resolves with the next one. */
  async next(): Promise<number> {
    await this.#asked.promise;
    this.#asked = Promise.withResolvers();
    this.#goOn?.();
    return this.#asked.promise;
  }
}

function rig() {
  const store = new FakeLease();
  const counts = new ClusterCounts();
  const clock = new StepClock();
  const other = new Lease(store, 'other', counts, new StepClock());
  return { store, counts, clock, lease: new Lease(store, 'own', counts, clock), other };
}

const never = (): void => expect.unreachable();

test('one node has it, and renews it; it goes on with the revision', async () => {
  const { store, clock, counts, lease, other } = rig();
  expect(await lease.take(never)).toBe('taken');
  expect(await other.take(never)).toBe('held');
  expect(await clock.next()).toBe(2_000);
  expect(await clock.next()).toBe(2_000);
  expect(store.value).toBe('own');
  expect(counts.leases.get('renewed')).toBe(2);
  await lease.release();
  expect(await other.take(never)).toBe('taken');
  expect(store.value).toBe('other');
  await other.release();
});

test('a stop in the middle of a renewal waits for its answer, and for no time to pass', async () => {
  // Longer than any test may take.
  await machineClock.sleep(3_600_000, AbortSignal.abort());
});

test('who waits hears that it is free', async () => {
  const { store, lease } = rig();
  await lease.take(never);
  const heard = Promise.withResolvers<void>();
  const stop = store.watch(() => heard.resolve());
  await lease.release();
  await heard.promise;
  stop();
  expect(store.value).toBe('');
});

test('a write whose answer is lost is settled by a look', async () => {
  const { store, counts, clock, lease } = rig();
  store.faults.push('lost');
  expect(await lease.take(never)).toBe('taken');
  store.faults.push('lost');
  // Unsure: again after a quarter of a second, which is refused, for the one before had worked.
  expect(await clock.next()).toBe(250);
  expect(await clock.next()).toBe(250);
  expect(await clock.next()).toBe(2_000);
  expect(counts.leases.get('settled')).toBe(2);
  await lease.release();
});

test('while nobody answers, it is kept, and taken again if it has expired', async () => {
  const { store, counts, clock, lease } = rig();
  await lease.take(never);
  store.faults.push('silent', 'silent');
  expect(await clock.next()).toBe(250);
  expect(await clock.next()).toBe(250);
  store.set(null);
  store.readFaults.push('silent');
  expect(await clock.next()).toBe(250);
  expect(await clock.next()).toBe(250);
  expect(await clock.next()).toBe(2_000);
  expect(counts.leases.get('taken_again')).toBe(1);
  expect(store.value).toBe('own');
  await lease.release();
});

test('another holder ends it, once', async () => {
  const { store, counts, clock, lease } = rig();
  const lost = Promise.withResolvers<void>();
  await lease.take(lost.resolve);
  store.set('other');
  void clock.next();
  await lost.promise;
  expect(counts.leases.get('lost')).toBe(1);
  await lease.release();
  expect(store.value).toBe('other');
});

test('what was written before the answer was lost, and the process went on, is its own', async () => {
  const { store, lease } = rig();
  store.set('own');
  expect(await lease.take(never)).toBe('taken');
  await lease.release();
  expect(store.value).toBe('');
});

test('nobody answers: it is not taken', async () => {
  const { store, counts, lease } = rig();
  store.readFaults.push('silent');
  expect(await lease.take(never)).toBe('unsure');
  store.faults.push('silent');
  expect(await lease.take(never)).toBe('unsure');
  expect(counts.leases.get('unsure')).toBe(1);
  expect(leaseNotes.filter((name) => (counts.leases.get(name) ?? 0) > 0)).toEqual(['unsure']);
});
