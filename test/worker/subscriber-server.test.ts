// A thread that serves subscribers, over a real log and real sockets: clients that come from another machine of a cluster, whose clock is
// ahead and which has had events that this one does not have yet, get nothing again.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { TrustedTime } from '../../lib/event/trusted-time.ts';
import { AddressTable } from '../../lib/fanout/address-table.ts';
import { zstdEncodings } from '../../lib/fanout/dictionary-encoding.ts';
import { v2Encodings } from '../../lib/fanout/v2-encodings.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { WebSocket } from '../../lib/websocket.ts';
import { SubscriberServer } from '../../lib/worker/subscriber-server.ts';
import { readConfig } from '../support/config.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';

const nowMs = 1_780_000_000_000;
const noLimits = { subscribersMax: 100, subscribersPerAddressMax: 0, eventsPerSecond: 0, wantedDidsMax: 0 };
const noDictionaries = { list: () => [], get: () => undefined };

/** A server at a machine whose clock stands at {@link nowMs}, and a log that ends three seconds before. */
async function serving(argv: readonly string[]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-serving-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 1_000_000, fsync: false };
  const log = await LevelLog.open({ ...options, compressor: fakeCompressor });
  onTestFinished(() => log.close());
  let eventMs = nowMs - 6_000;
  const source = { didHashKey: log.didHashKey, nowMs: () => (eventMs += 10), textBytesMax: 100 };
  const sample = new SampleLog(seededRandom(1), source);
  await log.append(sample.block(300));
  const clocks = { wallMs: () => nowMs, monotonicMs: () => 0, uptimeMs: () => 0 };
  const time = new TrustedTime(log.lastTimeUs, () => {}, clocks);
  const open = () => ({ ...fakeCompressor, close: () => {} });
  const server = new SubscriberServer({
    config: readConfig(['--data-dir', dataDir, ...argv], {}),
    log,
    codec: {
      dictionaries: noDictionaries as never,
      zstdEncodings: zstdEncodings(7, new Map(), open),
      v2Dictionaries: noDictionaries,
      v2Encodings: v2Encodings(),
    },
    addresses: AddressTable.memoryFor(noLimits),
    // A reader of it would go on with this machine's own monotonic clock.
    time: stopped(time.memory),
    ...{ proofs: undefined, readsMax: 1, plainSocketsMax: 10, listeners: 1 },
    writeLog: ({ message }) => expect.unreachable(message),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(async () => void (await server.stop(0)));
  /** Of the events of the next block. */
  const append = async (): Promise<number[]> => {
    const block = sample.block(100);
    await log.append(block);
    server.publish(block);
    return [...block.index.timeUs];
  };
  return { append, port };
}

/** The memory of a clock that shows {@link nowMs} in this thread, give or take what the test takes. */
function stopped(memory: SharedArrayBuffer): SharedArrayBuffer {
  const reader = TrustedTime.reader(memory);
  new Float64Array(memory)[0] += nowMs - reader();
  return memory;
}

async function subscribe(port: number, target: string, timeOf: RegExp) {
  const client = new WebSocket(`ws://127.0.0.1:${port}${target}`);
  const times: number[] = [];
  client.on('message', (data) => times.push(Number(timeOf.exec(data.toString())?.[1])));
  await once(client, 'open');
  onTestFinished(() => client.terminate());
  return times;
}

const inCluster = ['--nats-url', 'nats://127.0.0.1:1'];
const timeOf = /"time_us":(\d+)/;
const seqOf = /"seq":(\d+)/;

test('a client that comes from a machine whose clock is ahead gets nothing again', async () => {
  const { append, port } = await serving(inCluster);
  // Of an event that this machine will have in the seventh block from now.
  const cursor = nowMs * 1000 + 3_500_000;
  const first = await subscribe(port, `/subscribe?cursor=${cursor}`, timeOf);
  const second = await subscribe(
    port,
    `/xrpc/network.bsky.jetstream.subscribeEvents?cursor=${cursor}`,
    seqOf,
  );
  const pulled = await (
    await fetch(`http://127.0.0.1:${port}/events.ndjson?progress=true&cursor=${cursor}`)
  ).text();
  const times: number[] = [];
  for (let made = 0; made < 8; made++) {
    times.push(...(await append()));
    await nextRound();
  }
  const wanted = times.filter((timeUs) => timeUs >= cursor);
  expect(wanted.length).toBeGreaterThan(100);
  await expect.poll(() => [first.length, second.length]).toEqual([wanted.length, wanted.length]);
  expect(first).toEqual(wanted);
  expect(second).toEqual(wanted);
  expect(JSON.parse(pulled)).toMatchObject({ progress: { cursor } });
});

test.each([
  ['of a single daemon', [], nowMs * 1000 + 3_500_000],
  ['further than clocks are apart', inCluster, nowMs * 1000 + 3_600_000_000],
])('a cursor from the future, %s, begins with the next event', async (_name, argv, cursor) => {
  const { append, port } = await serving(argv);
  const first = await subscribe(port, `/subscribe?cursor=${cursor}`, timeOf);
  const times = await append();
  await expect.poll(() => first.length).toBe(times.length);
  expect(first).toEqual(times);
});
