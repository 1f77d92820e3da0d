// Whose turn it is at the desk, with a log and a store that answer when they are told to.

import { expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import type { LogReader } from '../../lib/log/event-log.ts';
import { ProofDesk, type ProofLack } from '../../lib/proofs/proof-desk.ts';

/** A log without events, whose reads wait. */
class SlowLog {
  reads = 0;
  readsAtOnceMax = 0;
  readonly didHashKey = new Uint8Array(8);
  readonly lastTimeUs = 100;
  failure: Error | undefined;
  #waiting: (() => void)[] = [];

  async read(): Promise<{ slices: []; throughUs: number }> {
    this.reads++;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.readsAtOnceMax = Math.max(this.readsAtOnceMax, this.#waiting.length);
    });
    if (this.failure !== undefined) throw this.failure;
    return { slices: [], throughUs: 100 };
  }

  /** Lets reads that wait go on; those that begin for that, too. */
  async go(): Promise<void> {
    while (this.#waiting.length > 0) {
      for (const resolve of this.#waiting.splice(0)) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const reader = { blocksAt: async () => ({ blocks: undefined, oldestUs: 1 }) };

function deskOf(log: SlowLog): ProofDesk {
  return new ProofDesk(log as unknown as LogReader, reader, undefined);
}

const request = { timeUs: 5, record: undefined };

test('an address that asks for much waits for itself, and is told so', async () => {
  const log = new SlowLog();
  const desk = deskOf(log);
  const answers: (ProofLack | Uint8Array)[] = [];
  const order: string[] = [];
  const ask = (address: string) =>
    desk.find(request, address).then((answer) => {
      answers.push(answer);
      order.push(address);
    });
  const all = [...Array.from({ length: 30 }, () => ask('greedy')), ask('modest')];
  await new Promise((resolve) => setImmediate(resolve));
  // Two are answered, sixteen wait.
  expect(answers).toEqual(Array(12).fill('busy'));
  order.length = 0;
  await log.go();
  await Promise.all(all);
  expect(answers.filter((answer) => answer === 'no_event')).toHaveLength(19);
  expect(order.indexOf('modest')).toBeLessThan(5);
  expect(log.readsAtOnceMax).toBe(2);
});

test('a crowd of addresses is bounded', async () => {
  const log = new SlowLog();
  const desk = deskOf(log);
  const answers: (ProofLack | Uint8Array)[] = [];
  const all = Array.from({ length: 400 }, async (_, at) => {
    answers.push(await desk.find(request, `address ${at}`));
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(answers).toHaveLength(400 - 2 - 256);
  await log.go();
  await Promise.all(all);
  expect(answers.filter((answer) => answer === 'no_event')).toHaveLength(258);
});

test('a log that cannot be read is no reason to say that there is nothing', async () => {
  const log = new SlowLog();
  log.failure = new CodedError('LOG_READ_FAILED', 'a disk');
  const answer = deskOf(log).find(request, 'a');
  await new Promise((resolve) => setImmediate(resolve));
  await log.go();
  expect(await answer).toBe('log_unreadable');
});
