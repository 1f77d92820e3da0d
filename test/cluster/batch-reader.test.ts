// What servers answer to a batch, and what no sound one would.

import { expect, test } from 'vitest';
import { type BatchConnection, BatchReader } from '../../lib/cluster/batch-reader.ts';
import type { StoredMessage } from '../../lib/cluster/engine.ts';

type Heard = Parameters<Parameters<BatchConnection['subscribe']>[1]['callback']>[1];

/** A server whose answers are in the hands of the test. */
function rig() {
  let heard: (message: Heard) => void = () => {};
  let reply = '';
  const reader = new BatchReader(
    {
      publish: (_subject, _payload, options) => {
        reply = options.reply;
      },
      subscribe: (_subject, { callback }) => {
        heard = (message) => callback(null, message);
      },
    },
    'STREAM',
  );
  const taken: StoredMessage[] = [];
  const answer = (headers: Record<string, string>, bytes = 1, code = 0): void =>
    heard({
      subject: reply,
      data: new Uint8Array(bytes),
      headers: { code, get: (name) => headers[name] ?? '' },
    });
  const read = (bytesMax = 1000) => reader.read(1, bytesMax, (message) => taken.push(message));
  return { taken, answer, read };
}

test('messages until the server says that it was all, or that there is more', async () => {
  const { taken, answer, read } = rig();
  const batch = read();
  answer({ 'Nats-Sequence': '1', 'Nats-Num-Pending': '1', 'Nats-Msg-Id': 'a' });
  answer({ 'Nats-Sequence': '2', 'Nats-Num-Pending': '0' });
  answer({ 'Nats-Num-Pending': '0' }, 0, 204);
  expect(await batch).toBe('end');
  expect(taken.map(({ sequence, id }) => [sequence, id])).toEqual([
    [1, 'a'],
    [2, ''],
  ]);
  const next = read();
  answer({ 'Nats-Num-Pending': '7' }, 0, 204);
  expect(await next).toBe('more');
});

test.each(['1.5', 'x', '-1', '1e400', '9007199254740993'])('a sequence of %s is none', async (sequence) => {
  const { taken, answer, read } = rig();
  const batch = read();
  answer({ 'Nats-Sequence': sequence });
  expect(await batch).toBe('silent');
  expect(taken).toEqual([]);
});

test('a server that does not stop is not listened to any more', async () => {
  const { taken, answer, read } = rig();
  const batch = read();
  for (let sequence = 1; sequence <= 100; sequence++)
    answer({ 'Nats-Sequence': String(sequence), 'Nats-Num-Pending': '9' }, 1024 * 1024);
  answer({ 'Nats-Num-Pending': '9' }, 0, 204);
  expect(await batch).toBe('more');
  expect(taken.length).toBeLessThan(40);
});
