// A directory between a daemon and another: slow, and with the key of one account for that of another, now and ever.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** See the file comment; `await using` ends it. */
export class LyingDirectory implements AsyncDisposable {
  readonly #server: Server;

  private constructor(
    directoryUrl: string,
    liar: string,
    answers: ReadonlyMap<string, string>,
    delayMs: number,
  ) {
    this.#server = createServer(async ({ url = '' }, response) => {
      await delay(delayMs);
      try {
        const lie = answers.get(url.replace(liar, ''));
        if (lie !== undefined) return void response.end(lie);
        const answer = await fetch(directoryUrl + url);
        response.writeHead(answer.status).end(await answer.text());
      } catch {
        response.destroy();
      }
    });
  }

  /** @param liar whose key is said to be that of `other`, as it is now. */
  static async listen(directoryUrl: string, liar: string, other: string, delayMs: number) {
    const answers = new Map<string, string>();
    for (const path of ['/', '//log/audit']) {
      const answer = await fetch(directoryUrl + path.replace('/', `/${other}`));
      answers.set(path, (await answer.text()).replaceAll(other, liar));
    }
    const directory = new LyingDirectory(directoryUrl, liar, answers, delayMs);
    await new Promise<void>((resolve) => directory.#server.listen(0, '127.0.0.1', resolve));
    return directory;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
