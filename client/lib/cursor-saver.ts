// Keeps a consumer's cursor: loads it once, saves it from time to time and at the end. It owns when, and that one save
// runs at a time; which cursor is safe is `EventStream`'s to say, and where it is kept the caller's store's.

import type { Platform } from './platform.ts';

/** Where a cursor outlives the process. Both may be synchronous. */
export interface CursorStore {
  /** The cursor saved last; undefined when there is none. A rejection ends the stream. */
  load(): Promise<number | undefined> | number | undefined;
  /** Never called again before it is done. A rejection is noticed, and the next save tries again. */
  save(cursor: number): Promise<void> | void;
}

/** See the file comment. */
export class CursorSaver {
  readonly #store: CursorStore;
  readonly #platform: Platform;
  readonly #intervalMs: number;
  readonly #onError: (error: unknown) => void;
  #cursor: number | undefined;
  #saved: number | undefined;
  #timer: unknown;
  #saving: Promise<void> | undefined;

  constructor(store: CursorStore, platform: Platform, intervalMs: number, onError: (error: unknown) => void) {
    this.#store = store;
    this.#platform = platform;
    this.#intervalMs = intervalMs;
    this.#onError = onError;
  }

  /** Has `cursor` saved within the interval. */
  note(cursor: number): void {
    this.#cursor = cursor;
    if (cursor === this.#saved) return;
    this.#timer ??= this.#platform.setTimeout(() => void this.flush(), this.#intervalMs);
  }

  /** Saves what was noted last, now. Never rejects. */
  async flush(): Promise<void> {
    this.#platform.clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#saving !== undefined) await this.#saving;
    const cursor = this.#cursor;
    if (cursor === undefined || cursor === this.#saved) return;
    // Not within `#save`: a store that fails at once would be done before this is set.
    this.#saving = this.#save(cursor).finally(() => {
      this.#saving = undefined;
    });
    await this.#saving;
  }

  async #save(cursor: number): Promise<void> {
    try {
      await this.#store.save(cursor);
      this.#saved = cursor;
    } catch (error) {
      this.#onError(error);
    }
  }
}
