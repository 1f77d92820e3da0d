// A reader of the simulated relay for tests: the plain `ws` client, which collects messages and lets a test wait for
// a condition with a deadline.

import { WebSocket } from 'ws';

const deadlineMs = 10_000;

/** What a connection has received so far. */
export class RelayReader {
  readonly binary: Buffer[] = [];
  readonly text: string[] = [];
  readonly pongs: string[] = [];
  closeCode: number | undefined;
  errorMessage: string | undefined;
  readonly #webSocket: WebSocket;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, query = '') {
    this.#webSocket = new WebSocket(`${url}/xrpc/com.atproto.sync.subscribeRepos${query}`);
    this.#webSocket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        this.binary.push(data);
      } else {
        this.text.push(data.toString());
      }
      this.#changed();
    });
    this.#webSocket.on('pong', (data) => {
      this.pongs.push(data.toString());
      this.#changed();
    });
    this.#webSocket.on('open', () => this.#changed());
    this.#webSocket.on('error', (error) => {
      this.errorMessage = error.message;
      this.#changed();
    });
    this.#webSocket.on('close', (code) => {
      this.closeCode = code;
      this.#changed();
    });
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  ping(data: string): void {
    this.#webSocket.ping(data);
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  /** Resolves when the condition holds; checked whenever something arrives. Rejects after the deadline. */
  until(condition: (reader: RelayReader) => boolean, what: string): Promise<this> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(
          new Error(
            `no "${what}" in ${deadlineMs} ms: ${this.binary.length} frames, close ${this.closeCode}`,
          ),
        );
      }, deadlineMs);
      const check = (): void => {
        if (condition(this)) {
          clearTimeout(timer);
          this.#waiting.delete(check);
          resolve(this);
        }
      };
      this.#waiting.add(check);
      check();
    });
  }

  frames(count: number): Promise<this> {
    return this.until((reader) => reader.binary.length >= count, `${count} frames`);
  }

  opened(): Promise<this> {
    return this.until((reader) => reader.isOpen, 'open');
  }

  closed(): Promise<this> {
    return this.until((reader) => reader.closeCode !== undefined, 'close');
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  #changed(): void {
    for (const check of [...this.#waiting]) {
      check();
    }
  }
}
