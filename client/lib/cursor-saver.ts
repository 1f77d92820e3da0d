// Keeps a consumer's cursor: loads it once, saves it from time to time and at the end. It owns when, and that one save
// runs at a time; which cursor is safe is `EventStream`'s to say, and where it is kept the caller's store's.

import { CodedError } from '../../lib/errors.ts';
import type { Platform } from './platform.ts';
import type { ClientTiming } from './timing.ts';

/** Where a cursor outlives the process. Both may be synchronous. */
export interface CursorStore {
  /** The cursor saved last; undefined when there is none. A rejection ends the stream. */
  load(): Promise<number | undefined> | number | undefined;
  /** Never called again before it is done. A rejection is noticed, and it is tried again after a second. */
  save(cursor: number): Promise<void> | void;
}

type SaveTiming = Pick<ClientTiming, 'saveIntervalMs' | 'closeSaveMs'>;

/** See the file comment. */
export class CursorSaver {
  readonly #store: CursorStore;
  readonly #platform: Platform;
  readonly #timing: SaveTiming;
  readonly #onError: (error: unknown) => void;
  #cursor: number | undefined;
  #saved: number | undefined;
  #timer: unknown;
  #saving: Promise<void> | undefined;
  #isClosed = false;

  constructor(store: CursorStore, platform: Platform, timing: SaveTiming, onError: (error: unknown) => void) {
    this.#store = store;
    this.#platform = platform;
    this.#timing = timing;
    this.#onError = onError;
  }

  /** Has `cursor` saved within the interval. */
  note(cursor: number): void {
    this.#cursor = cursor;
    if (cursor !== this.#saved) this.#arm();
  }

  /** Saves what was noted last, for the last time. Never rejects, and waits for a store that hangs no longer than its bound. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { closeSaveMs } = this.#timing;
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.#platform.setTimeout(() => {
        const message = `the cursor store has not saved within ${closeSaveMs} ms of the end: the cursor may be an older one`;
        this.#onError(new CodedError('CLIENT_SAVE_TIMED_OUT', message));
        resolve();
      }, closeSaveMs);
    });
    await Promise.race([this.#flush(), late]);
    this.#platform.clearTimeout(timer);
  }

  #arm(): void {
    this.#timer ??= this.#platform.setTimeout(() => void this.#flush(), this.#timing.saveIntervalMs);
  }

  async #flush(): Promise<void> {
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
      if (!this.#isClosed) this.#arm();
    }
  }
}
