// Loaded into the daemon before its own code: notes what of LevelDB's log files a power failure could not take. Each time
// a write that waits for the disk is done, and before the daemon goes on, the sizes of the database's log files go to
// the file that CRASH_SYNC_FILE names, a line each: path, space, bytes.
//
// A size can include an unsynced delete that came right behind the write: then a little less is lost than could be.

import { appendFileSync, readdirSync, statSync } from 'node:fs';
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
