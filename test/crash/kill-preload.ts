// Loaded into the daemon before its own code (`node --import`): ends the process with SIGKILL at one exact point of the
// write path. It wraps methods of classic-level, of files and of sockets from outside, so that the daemon has no hook for it.
//
// CRASH_POINT  none, or `<database>.<operation>:<moment>`, or `subscriber.write:<moment>`; the moment is before, during or after
// CRASH_COUNT  the how-manieth call of the operation it is
// CRASH_SPIN_US  for `during`: microseconds that the database gets to work on the call
// CRASH_TRIM_MS  shortens the interval of retention, which is 15 s

import fs, { existsSync, readdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';

// biome-ignore lint/suspicious/noExplicitAny: methods of all shapes are wrapped alike.
type Method = (this: any, ...args: any[]) => any;

const trimIntervalMs = 15_000;
const [point, moment] = (process.env.CRASH_POINT ?? '').split(':');
const count = Number(process.env.CRASH_COUNT ?? 1);
const spinUs = Number(process.env.CRASH_SPIN_US ?? 1000);
let calls = 0;
/** Values of a block; a batch of more stores a segment too. */
const blockPartsMax = 4;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function wait(us: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, us / 1000);
}

/** Replaces a method; `name` says which point a call is, or undefined for none. */
function wrap(
  prototype: object,
  method: string,
  name: (self: object, args: unknown[]) => string | undefined,
) {
  const methods = prototype as Record<string, Method>;
  const original = methods[method];
  methods[method] = function (...args) {
    if (name(this, args) !== point || ++calls !== count) return original.apply(this, args);
    if (moment === 'before') die();
    const result = original.apply(this, args);
    if (moment === 'during') {
      wait(spinUs);
      die();
    }
    if (!(result instanceof Promise)) {
      die();
      return result;
    }
    // Before the caller, which awaits the result, goes on.
    return result.then((value) => {
      die();
      return value;
    });
  };
}

function databaseOf(self: object): string {
  return basename((self as ClassicLevel).location);
}

function isRotating(self: object): boolean {
  const logs = readdirSync((self as ClassicLevel).location).filter((name) => name.endsWith('.log'));
  return logs.length > 1;
}

/** Databases that have been read, so that what their folder `redo` has is newer. */
const read = new Set<object>();

/**
 * What a batch does: `append` a block, with its `segment` or without, or `trim`; `redo` what LevelDB's log has, or at the stop `move`
 * what the files beside it have.
 */
function batchName(self: object, args: unknown[]): string {
  if (existsSync(join((self as ClassicLevel).location, 'redo')))
    return `${databaseOf(self)}.${read.has(self) ? 'move' : 'redo'}`;
  const [operations] = args as [{ type: string }[]];
  if (operations[0].type === 'del') return `${databaseOf(self)}.trim`;
  return `${databaseOf(self)}.${operations.length > blockPartsMax ? 'segment' : 'append'}`;
}

const level = ClassicLevel.prototype;
const named =
  (operation: string) =>
  (self: object): string =>
    `${databaseOf(self)}.${operation}`;
// What must not find a database only asks for its lock.
wrap(level, '_open', (self, [options]) =>
  (options as { errorIfExists?: boolean }).errorIfExists === true ? undefined : named('open')(self),
);
wrap(level, '_close', named('close'));
wrap(level, '_clear', named('clear'));
wrap(level, '_iterator', (self) => {
  read.add(self);
  return named('read')(self);
});
wrap(level, 'compactRange', named('compact'));
wrap(level, '_put', named('put'));
wrap(level, '_batch', batchName);
// LevelDB has begun another file for its log and is still making a table of the one before.
if (point.endsWith('.rotation')) {
  const methods = level as unknown as Record<string, Method>;
  for (const method of ['_put', '_batch']) {
    const original = methods[method];
    methods[method] = async function (...args) {
      await original.apply(this, args);
      if (`${databaseOf(this)}.rotation` !== point || !isRotating(this) || ++calls !== count) return;
      wait(spinUs);
      die();
    };
  }
}
// The journal's own files. Of a write that is under way half is there.
const journalFiles = new Set<number>();
const isJournalFile = (path: unknown): boolean => /[\\/]journal[\\/]redo[\\/]\d+\.log$/.test(String(path));
const { openSync, writeSync } = fs;
fs.openSync = ((path: string, flags: string, mode?: number) => {
  const file = openSync(path, flags, mode);
  if (!isJournalFile(path)) return file;
  journalFiles.add(file);
  const isNext = readdirSync(dirname(path)).length > 1;
  if (point === 'journal.rotation' && isNext && ++calls === count) die();
  return file;
}) as typeof fs.openSync;
fs.writeSync = ((file: number, bytes: Uint8Array, from: number, length: number) => {
  const isPoint = journalFiles.has(file) && point === 'journal.put' && ++calls === count;
  if (isPoint && moment === 'before') die();
  const written = writeSync(
    file,
    bytes,
    from,
    isPoint && moment === 'during' ? Math.ceil(length / 2) : length,
  );
  if (isPoint) die();
  return written;
}) as typeof fs.writeSync;
wrap(fs.promises, 'rm', (_, [path]) => (isJournalFile(path) ? 'journal.remove' : undefined));
syncBuiltinESMExports();
wrap(Socket.prototype, 'write', (_, [chunk]) => {
  const isData =
    chunk instanceof Uint8Array && (chunk[0] === 0x81 || chunk[0] === 0x82) && chunk.length > 100;
  return isData ? 'subscriber.write' : undefined;
});

if (process.env.CRASH_TRIM_MS !== undefined) {
  const trimMs = Number(process.env.CRASH_TRIM_MS);
  const original = globalThis.setInterval;
  globalThis.setInterval = ((task: () => void, ms: number, ...args: []) =>
    original(task, ms === trimIntervalMs ? trimMs : ms, ...args)) as typeof setInterval;
}
