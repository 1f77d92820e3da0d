// Loaded into the daemon before its own code (`node --import`), in every thread: makes one part of it fail, from outside, once
// a file is there.
//
// FAILURE       what happens: `throws`, `memory`, `loops` or `stays` (it cannot be ended) in the first worker; `write-fails`, `write-fails-late` (after
//               300 ms) or `write-hangs` in the log; `opening-fails` in every worker, from the start
// FAILURE_FILE  begins it; there is another file once it has begun, see `begunFile`
// FAILURE_LOOK_MS  the interval that worker-pool.ts looks in, for one that hangs

import { existsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { isMainThread, threadId } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';

const { FAILURE: failure, FAILURE_FILE: file = '' } = process.env;

/** Says of a failure that it has begun. */
const begunFile = `${file}.begun`;

// biome-ignore lint/suspicious/noExplicitAny: methods of all shapes are wrapped alike.
type Method = (this: any, ...args: any[]) => any;

const inWorker: Readonly<Record<string, () => void>> = {
  throws() {
    throw new Error('a worker that throws');
  },
  memory() {
    const kept: unknown[] = [];
    while (true) kept.push({ at: kept.length, text: `${kept.length}` });
  },
  loops() {
    for (let at = 0; at >= 0; ) at = (at + 1) % 1000;
  },
  stays() {
    // A socket that is reset while its half is being shut is never closed (Node 26 and before), and no thread ends that has one.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('end', () => socket.end().resetAndDestroy()).resume();
    });
    server.listen(0, '127.0.0.1', () =>
      connect((server.address() as AddressInfo).port, '127.0.0.1').end('x'),
    );
  },
};

const inLog: Readonly<Record<string, () => Promise<unknown>>> = {
  'write-fails': () => Promise.reject(new Error('a write that fails')),
  'write-fails-late': () =>
    new Promise((_, reject) => setTimeout(reject, 300, new Error('a write that fails late'))),
  'write-hangs': () => new Promise(() => {}),
};

const lookMs = 3_000;

if (isMainThread) {
  const { setInterval: original } = globalThis;
  const shortened = (callback: () => void, ms?: number): NodeJS.Timeout =>
    original(callback, ms === lookMs ? Number(process.env.FAILURE_LOOK_MS) : ms);
  Object.assign(globalThis, { setInterval: shortened });
  const fail = inLog[failure ?? ''];
  const methods = ClassicLevel.prototype as unknown as Record<string, Method>;
  for (const name of fail === undefined ? [] : ['put', 'batch']) {
    const method = methods[name];
    methods[name] = function (...args) {
      if (!existsSync(file)) return method.apply(this, args);
      writeFileSync(begunFile, '');
      return fail();
    };
  }
} else if (failure === 'opening-fails') {
  Object.assign(ClassicLevel.prototype, { open: () => Promise.reject(new Error('an opening that fails')) });
} else if (threadId === 1 && failure !== undefined && failure in inWorker) {
  const timer = setInterval(() => {
    if (!existsSync(file)) return;
    clearInterval(timer);
    writeFileSync(begunFile, '');
    inWorker[failure]();
  }, 20);
}
