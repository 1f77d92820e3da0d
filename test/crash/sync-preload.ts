// Loaded into the daemon before its own code: notes what of LevelDB's log files a power failure could not take. Each time
// a write that waits for the disk is done, and before the daemon goes on, the sizes of the database's log files go to
// the file that CRASH_SYNC_FILE names, a line each: path, space, bytes. The same of the journal's own files.
//
// A size can include an unsynced delete that came right behind the write: then a little less is lost than could be.

import fs, { appendFileSync, fstatSync, readdirSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';

// biome-ignore lint/suspicious/noExplicitAny: methods of all shapes are wrapped alike.
type Method = (this: ClassicLevel, ...args: any[]) => Promise<unknown>;

const syncFile = process.env.CRASH_SYNC_FILE as string;

function noteSizes(location: string): void {
  let lines = '';
  for (const name of readdirSync(location)) {
    const path = join(location, name);
    if (name.endsWith('.log')) lines += `${path} ${statSync(path, { throwIfNoEntry: false })?.size ?? 0}\n`;
  }
  appendFileSync(syncFile, lines);
}

const methods = ClassicLevel.prototype as unknown as Record<string, Method>;
for (const name of ['_put', '_batch']) {
  const original = methods[name];
  methods[name] = async function (...args) {
    const result = await original.apply(this, args);
    if (args[args.length - 1].sync === true) noteSizes(this.location);
    return result;
  };
}

const paths = new Map<number, string>();
const { openSync, fdatasync } = fs;
fs.openSync = ((path: string, flags: string, mode?: number) => {
  const file = openSync(path, flags, mode);
  paths.set(file, path);
  return file;
}) as typeof fs.openSync;
fs.fdatasync = ((file: number, done: (error: Error | null) => void) => {
  // What is appended meanwhile the disk need not have.
  const { size } = fstatSync(file);
  fdatasync(file, (error) => {
    if (error === null) appendFileSync(syncFile, `${paths.get(file)} ${size}\n`);
    done(error);
  });
}) as typeof fs.fdatasync;
syncBuiltinESMExports();
