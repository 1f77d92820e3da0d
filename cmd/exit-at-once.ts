// Ends the process though a part of it goes on: `process.exit` would wait for its threads. A program that does nothing takes its
// place, which ends all of them, and has the exit code. Where there is no such call (Windows), or no program, it is killed.

import { accessSync, constants } from 'node:fs';

/** Linux's name of the program that runs here, which leads to it when its file is gone, too, as by an update. */
const ownProgram = '/proc/self/exe';

/** See the file comment. */
export function exitAtOnce(exitCode: number): void {
  try {
    // Some versions of Node abort the process when the program file cannot be started.
    const program = [ownProgram, process.execPath].find(isProgram);
    if (program !== undefined) process.execve?.(program, [program, '-e', `process.exit(${exitCode})`], {});
  } catch {
    // Then it is killed.
  }
  process.kill(process.pid, 'SIGKILL');
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
