// Ten thousand clients that come back at once, as after a restart: nobody is dropped unread, who is refused hears why, and the
// two subscribers that are there already see every event meanwhile.

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openFilesMax } from '../../lib/open-files.ts';
import { handshake } from './attackers.ts';
import { Target } from './target.ts';

const mebibyte = 2 ** 20;
const crowd = 10_000;
/** Of 127.0.0.0/8, where a system has all of it. */
const addresses = 200;
const perAddress = crowd / addresses;
/** Of those, the ones that have a place. */
const perAddressMax = perAddress - 10;
/** This process and the daemon have one each for every connection. */
const openFilesNeeded = 14_000;

const hasFiles = openFilesMax() >= openFilesNeeded;
if (!hasFiles) console.log(`skipped: a crowd of ${crowd} needs ulimit -n ${openFilesNeeded}`);
const canBind = process.platform === 'linux';

let target: Target;
beforeAll(async () => {
  target = await Target.start(['--workers', '1', '--max-subscribers-per-address', String(perAddressMax)]);
});
afterAll(async () => {
  await target.finish();
  await target[Symbol.asyncDispose]();
});

/** The status of its answer; 0 when it was dropped without one. */
function comeBack(address: string, request: string): { socket: Socket; status: Promise<number> } {
  const socket = connect({ host: '127.0.0.1', port: target.port, localAddress: address });
  const status = new Promise<number>((resolve) => {
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (received.includes('\r\n\r\n')) resolve(Number(received.slice(9, 12)));
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(0));
  });
  socket.write(request);
  return { socket, status };
}

it.runIf(hasFiles && canBind)('of ten thousand handshakes in one tick each is answered', () =>
  target.under(600 * mebibyte, async () => {
    const clients = Array.from({ length: crowd }, (_, at) =>
      comeBack(`127.0.0.${2 + (at % addresses)}`, handshake()),
    );
    onTestFinished(() => {
      for (const { socket } of clients) socket.destroy();
    });
    const counts = new Map<number, number>();
    for (const { status } of clients) {
      const one = await status;
      counts.set(one, (counts.get(one) ?? 0) + 1);
    }
    const places = addresses * perAddressMax;
    expect(Object.fromEntries(counts)).toEqual({ 101: places, 429: crowd - places });
  }),
);
