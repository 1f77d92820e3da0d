// Loaded into the daemon before its own code, in every thread: it finds itself in a cgroup that is a directory of the test's.
//
// CONTAINER  the directory; `limit` there is its limit in bytes, `extra` what is used of it beside this process

import { readFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const { CONTAINER: root = '' } = process.env;
const read = readFileSync;

function numberIn(name: string): number {
  try {
    return Number(read(join(root, name), 'utf8'));
  } catch {
    return 0;
  }
}

/** What there is instead, by path. */
const files: Readonly<Record<string, () => string>> = {
  '/proc/self/cgroup': () => '0::/\n',
  '/proc/self/mountinfo': () => `30 23 0:26 / ${root} rw - cgroup2 cgroup2 rw\n`,
  [join(root, 'memory.max')]: () => `${numberIn('limit')}\n`,
  [join(root, 'memory.current')]: () => {
    const anonymous = /RssAnon:\s+(\d+) kB/.exec(read('/proc/self/status', 'latin1'))?.[1];
    return `${Number(anonymous ?? 0) * 1024 + numberIn('extra')}\n`;
  },
};

createRequire(import.meta.url)('node:fs').readFileSync = (path: string, options: 'latin1') =>
  files[path]?.() ?? read(path, options);
syncBuiltinESMExports();
