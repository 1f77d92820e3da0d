// Loaded before a command (--import): kills its process when it is about to rename a file or folder for the KILL_AT_RENAME-th time.

import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

let left = Number(process.env.KILL_AT_RENAME);
const { rename } = promises;
promises.rename = async (from, to) => {
  left--;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
  return rename(from, to);
};
syncBuiltinESMExports();
