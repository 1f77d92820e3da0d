import type { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import * as ws from 'ws';
import { ByteWriter } from '../../lib/byte-writer.ts';
import {
  binaryMessage,
  closeMessage,
  headerBytesOf,
  openMessage,
  payloadBytesOf,
  textMessage,
} from '../../lib/event/websocket-frame.ts';

// The package exports its frame parser, its types do not.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

const sizes = [0, 1, 124, 125, 126, 127, 128, 1000, 65_534, 65_535, 65_536, 65_537, 200_000];

test('the ws package reads back every size, one after the other', async () => {
  const out = new ByteWriter(16);
  for (const size of sizes) {
    for (const first of [textMessage, binaryMessage]) {
      const start = openMessage(out);
      out.bytes(Buffer.alloc(size, 0x61));
      closeMessage(out, start, first);
      const messageBytes = out.length - start;
      expect(messageBytes).toBe(headerBytesOf(size) + size);
      expect(payloadBytesOf(messageBytes)).toBe(size);
    }
  }
  const received: [number, boolean][] = [];
  const receiver = new Receiver({ isServer: false });
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    expect(data.every((byte) => byte === 0x61)).toBe(true);
    received.push([data.length, isBinary]);
  });
  await new Promise<void>((resolve, reject) => {
    receiver.on('error', reject);
    receiver.end(Buffer.from(out.buffer.subarray(0, out.length)), () => resolve());
  });
  await expect.poll(() => received.length).toBe(sizes.length * 2);
  expect(received).toEqual(
    sizes.flatMap((size) => [
      [size, false],
      [size, true],
    ]),
  );
});
