// Whether there was a crowd of subscribers lately, over restarts: a file in the data directory. Who was cut off by a restart comes back
// at once, all together, and worker threads that start only then come too late: everybody would be the main thread's, and stay. It owns
// the file and when it goes; what follows from it is the service's.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How often it is looked whether the crowd is still there. */
const lookMs = 10 * 60_000;
const fileName = 'crowd';

/** See the file comment. */
export class CrowdMark {
  readonly #path: string;
  readonly #lookMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(dataDir: string, everyMs = lookMs) {
    this.#path = join(dataDir, fileName);
    this.#lookMs = everyMs;
  }

  get isThere(): boolean {
    return existsSync(this.#path);
  }

  /** There is a crowd now. @param isCrowd whether there still is; a failure says nothing. */
  follow(isCrowd: () => Promise<boolean>): void {
    this.#set(true);
    this.#timer ??= setInterval(() => {
      isCrowd().then(
        (is) => this.#set(is),
        () => {},
      );
    }, this.#lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A mark that cannot be written or deleted costs a restart with a crowd its threads, and nothing else. */
  #set(is: boolean): void {
    try {
      if (is) writeFileSync(this.#path, '');
      else rmSync(this.#path, { force: true });
    } catch {
      // See above.
    }
  }
}
