import { expect, test } from 'vitest';
import { appendEnds, ClusterCounts, retryReasons } from '../../lib/cluster/cluster-counts.ts';
import { unsureReasons } from '../../lib/cluster/engine.ts';
import { StreamWriter } from '../../lib/cluster/stream-writer.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { type AppendFault, FakeClock, FakeEngine, type ReadFault } from './fake-engine.ts';

function rig(faults: readonly AppendFault[] = [], reads: readonly ReadFault[] = []) {
  const engine = new FakeEngine();
  const counts = new ClusterCounts();
  const clock = new FakeClock();
  const writer = new StreamWriter(engine, counts, clock);
  engine.appendFaults.push(...faults);
  engine.readFaults.push(...reads);
  const store = (id: string, sequence: number) => writer.store({ id, bytes: Buffer.from(id) }, sequence);
  return { engine, counts, clock, writer, store };
}

function seen(sums: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...sums].filter(([, count]) => count > 0));
}

test('a message that is acknowledged is stored', async () => {
  const { engine, counts, store } = rig();
  expect(await store('a', 1)).toBe('stored');
  expect(await store('b', 2)).toBe('stored');
  expect(engine.stored.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(seen(counts.appends)).toEqual({ acknowledged: 2 });
  expect(seen(counts.retries)).toEqual({});
});

test('an answer that is lost is found out by the id, or by a look at the place', async () => {
  const { engine, counts, store } = rig(['lost']);
  expect(await store('a', 1)).toBe('stored');
  engine.knowsIds = false;
  engine.appendFaults.push('lost');
  expect(await store('b', 2)).toBe('stored');
  expect(engine.stored.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(seen(counts.appends)).toEqual({ duplicate: 1, found: 1 });
  expect(seen(counts.retries)).toEqual({ timeout: 2 });
});

test.each(unsureReasons)('%s says nothing: the same message is sent again', async (why) => {
  const { engine, counts, store } = rig([why, why]);
  expect(await store('a', 1)).toBe('stored');
  expect(engine.stored).toHaveLength(1);
  expect(seen(counts.appends)).toEqual({ acknowledged: 1 });
  expect(seen(counts.retries)).toEqual({ [why]: 2 });
});

test('it waits 25 ms to a quarter of a second between attempts, not at all after a new connection', async () => {
  const { clock, engine, store } = rig(['no_leader', 'no_leader']);
  await store('a', 1);
  expect(clock.timeMs).toBe(75);
  engine.appendFaults.push('reconnected');
  await store('b', 2);
  expect(clock.timeMs).toBe(75);
  engine.appendFaults.push(...Array(10).fill('no_leader'));
  await store('c', 3);
  expect(clock.timeMs).toBe(75 + 25 + 50 + 100 + 200 + 6 * 250);
});

test('a server that stays silent is left for another', async () => {
  const { engine, store } = rig(Array(7).fill('timeout'));
  await store('a', 1);
  expect(engine.hops).toBe(2);
});

test('the message of another writer at its place ends its turn, and nothing is written', async () => {
  const { engine, counts, store } = rig(['foreign']);
  expect(await store('a', 1)).toBe('fenced');
  expect(engine.stored.map(({ id }) => id)).toEqual(['rival.0']);
  expect(seen(counts.appends)).toEqual({ fenced: 1 });
});

test('so does a place that is taken, and whose message is not kept any more', async () => {
  const { counts, store } = rig(['foreign_trimmed']);
  expect(await store('a', 1)).toBe('fenced');
  expect(seen(counts.appends)).toEqual({ fenced_unknown: 1 });
  expect(seen(counts.retries)).toEqual({ not_visible: 2 });
});

test('a refusal with nothing at the place proves nothing', async () => {
  const { engine, counts, store } = rig(Array(20).fill('proposed'));
  expect(await store('a', 1)).toBe('stored');
  expect(engine.stored).toHaveLength(1);
  expect(seen(counts.retries)).toEqual({ not_visible: 20 });
});

test('a refusal that nobody can explain is tried again', async () => {
  const { counts, store } = rig(['proposed', 'proposed'], ['silent', 'empty', 'silent']);
  expect(await store('a', 1)).toBe('stored');
  expect(seen(counts.retries)).toEqual({ unread: 2 });
});

test('a leader that has forgotten what was acknowledged is believed after five seconds', async () => {
  const { engine, counts, clock, store } = rig();
  for (let sequence = 1; sequence <= 4; sequence++) await store(String(sequence), sequence);
  engine.forget(2);
  expect(await store('5', 5)).toBe('lost');
  expect(clock.timeMs).toBeGreaterThanOrEqual(5_000);
  expect(seen(counts.appends)).toEqual({ acknowledged: 4, lost: 1 });
  expect(counts.retries.get('stale_leader')).toBeGreaterThan(10);
});

test('one that says so for a moment is not', async () => {
  const { counts, engine, store } = rig();
  await store('a', 1);
  engine.appendFaults.push('proposed', 'proposed');
  engine.readFaults.push('empty', 'forgetful', 'empty', 'forgetful');
  expect(await store('b', 2)).toBe('stored');
  expect(counts.retries.get('stale_leader')).toBe(2);
});

test('stored at another place is not stored', async () => {
  const { counts, store } = rig(['elsewhere']);
  expect(await store('a', 1)).toBe('lost');
  expect(seen(counts.appends)).toEqual({ lost: 1 });
});

test('closed while it waits, it ends', async () => {
  const { engine, writer, store } = rig(Array(1000).fill('no_leader'));
  const stored = store('a', 1);
  writer.close();
  expect(await stored).toBe('closed');
  expect(engine.stored).toHaveLength(0);
});

test('whatever happens, every message is there once, in order, until another writer has the place', async () => {
  const random = new SeededRandom('7', 'writer');
  const total = new ClusterCounts();
  const faults: AppendFault[] = ['lost', 'lost', ...unsureReasons, 'proposed', 'foreign', 'foreign_trimmed'];
  const reads: ReadFault[] = ['ok', 'ok', 'silent', 'empty', 'forgetful'];
  for (let round = 0; round < 150; round++) {
    const { engine, counts, store } = rig();
    const told: string[] = [];
    for (let sequence = 1; sequence <= 12; sequence++) {
      engine.knowsIds = random.float() < 0.5;
      while (random.float() < 0.6)
        engine.appendFaults.push(faults[Math.floor(random.float() * faults.length)]);
      while (random.float() < 0.6) engine.readFaults.push(reads[Math.floor(random.float() * reads.length)]);
      const id = `own.${sequence}`;
      const end = await store(id, sequence);
      if (end !== 'stored') {
        expect(end, `round ${round}`).toBe('fenced');
        break;
      }
      told.push(id);
    }
    const own = engine.stored.map(({ id }) => id).filter((id) => id.startsWith('own.'));
    // What was told to be fenced may be there all the same, if the leader denied it three times: who follows finds it.
    expect(own.slice(0, told.length), `round ${round}`).toEqual(told);
    expect(own.length, `round ${round}`).toBeLessThanOrEqual(told.length + 1);
    expect(new Set(own).size, `round ${round}`).toBe(own.length);
    for (const name of appendEnds)
      total.appends.set(name, (total.appends.get(name) ?? 0) + (counts.appends.get(name) ?? 0));
    for (const name of retryReasons)
      total.retries.set(name, (total.retries.get(name) ?? 0) + (counts.retries.get(name) ?? 0));
  }
  const { lost: _, ...ends } = Object.fromEntries(total.appends);
  for (const [name, count] of [...Object.entries(ends), ...total.retries])
    expect(count, name).toBeGreaterThan(0);
});
