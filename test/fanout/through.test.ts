// A subscriber that wants nothing from some time on: told as soon as it has come so far, however little its filter finds.

import { expect, test } from 'vitest';
import { encodings } from '../../lib/fanout/encodings.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import type { Transport } from '../../lib/fanout/transport.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import type { LogReader, ReadResult } from '../../lib/log/event-log.ts';
import { addressTable } from '../support/addresses.ts';
import { passAll } from '../support/pass-all.ts';
import { FakeClient } from './fake-client.ts';

const newestUs = 1000;
/** Before the regular report, which comes every five seconds. */
const soon = { timeout: 2_000 };

/** A log without a wanted event that is read in steps, the last of which never comes to its end. */
class SlowLog implements LogReader {
  readonly oldestUs = 0;
  readonly coverage = new CoverageLedger();
  readonly didHashKey = new Uint8Array(8);
  readonly lastTimeUs = newestUs;
  readonly stepsUs: number[];

  constructor(...stepsUs: number[]) {
    this.stepsUs = stepsUs;
  }

  recentAfter(): undefined {
    return undefined;
  }

  read(): Promise<ReadResult> {
    const throughUs = this.stepsUs.shift();
    return throughUs === undefined ? new Promise(() => {}) : Promise.resolve({ slices: [], throughUs });
  }
}

class Pull extends FakeClient implements Transport {
  readonly throughUs: number;

  constructor(throughUs: number) {
    super(encodings.json, () => false, true);
    this.throughUs = throughUs;
  }
}

test.each([
  [[400, 800], 500, 800],
  [[400, 500], 500, 500],
  [[400, 499, 500], 500, 500],
])('reads to %j, wants to %i', async (stepsUs, throughUs, positionUs) => {
  const log = new SlowLog(...stepsUs);
  const fanout = new Fanout(log, addressTable(), (error) => expect.unreachable(String(error)));
  const client = new Pull(throughUs);
  fanout.subscribe(client, passAll, 0);
  await expect.poll(() => client.reports, soon).toEqual([{ positionUs, newestUs, live: false, received: 0 }]);
  expect([log.stepsUs, fanout.stats().subscribers]).toEqual([[], 0]);
});

test('who is asked too early goes on', async () => {
  const fanout = new Fanout(new SlowLog(400, 499), addressTable(), () => {});
  const client = new Pull(500);
  fanout.subscribe(client, passAll, 0);
  await expect.poll(() => fanout.stats().slowestLagUs).toBe(newestUs - 499);
  expect([client.reports, fanout.stats().subscribers]).toEqual([[], 1]);
});

test('one that wants nothing at all ends at once', async () => {
  const fanout = new Fanout(new SlowLog(), addressTable(), () => {});
  const client = new Pull(500);
  fanout.subscribe(client, passAll, 600);
  await expect
    .poll(() => client.reports, soon)
    .toEqual([{ positionUs: 600, newestUs, live: false, received: 0 }]);
});
