// When a subscriber counts as dead.

import { expect, it } from 'vitest';
import { Liveness } from '../../lib/wire/liveness.ts';

function watched() {
  const socket = { bytesRead: 100, bytesWritten: 200, writableLength: 0 };
  return { socket, liveness: new Liveness(socket) };
}

it('gives a client two intervals after the first ping', () => {
  const { socket, liveness } = watched();
  expect(liveness.silentAtPing()).toBe(false);
  socket.bytesWritten += 2;
  expect(liveness.silentAtPing()).toBe(false);
  socket.bytesWritten += 2;
  expect(liveness.silentAtPing()).toBe(true);
});

it('takes anything received for life', () => {
  const { socket, liveness } = watched();
  for (let ping = 0; ping < 10; ping++) {
    expect(liveness.silentAtPing()).toBe(false);
    if (ping % 2 === 0) socket.bytesRead += 6;
  }
});

it('takes data that was taken for life, and pings that went out not', () => {
  const { socket, liveness } = watched();
  socket.writableLength = 1_000_000;
  socket.bytesWritten += 1_000_000;
  for (let ping = 0; ping < 10; ping++) {
    expect(liveness.silentAtPing()).toBe(false);
    socket.writableLength -= 5;
  }
  expect(liveness.silentAtPing()).toBe(false);
  expect(liveness.silentAtPing()).toBe(false);
  expect(liveness.silentAtPing()).toBe(true);
});

it('is not impressed by data that waits', () => {
  const { socket, liveness } = watched();
  liveness.silentAtPing();
  socket.writableLength += 50_000;
  socket.bytesWritten += 50_000;
  expect(liveness.silentAtPing()).toBe(false);
  expect(liveness.silentAtPing()).toBe(true);
});
