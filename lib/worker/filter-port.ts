// Stored filters across threads: the store is in the main thread, and a worker asks it through a port of their own, so
// that the order of blocks has nothing to do with it. Answers come in the order of questions, and always.

import type { MessagePort } from 'node:worker_threads';
import type { FilterDescription, FilterStore, Filters, PutResult } from '../wire/filter-store.ts';
import type { StoredFilter } from '../wire/stored-filter.ts';

/** What a worker asks: a call of the store. */
type Question = {
  [Call in keyof Filters]: { readonly call: Call; readonly with: Parameters<Filters[Call]> };
}[keyof Filters];

/** Answers the worker at the other end. */
export function answerFilters(port: MessagePort, store: FilterStore): void {
  port.on('message', (question: Question) => {
    // The parameters belong to the call, which TypeScript does not see.
    const call = store[question.call] as (...parameters: unknown[]) => unknown;
    port.postMessage(call.apply(store, question.with));
  });
  // It ends with the worker, and keeps nobody waiting before.
  port.unref();
}

/** The store as a worker has it. */
export class RemoteFilters implements Filters {
  readonly #port: MessagePort;
  /** Who waits for an answer, in order. */
  readonly #asked: ((answer: unknown) => void)[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (answer: unknown) => this.#asked.shift()?.(answer));
  }

  /** Takes the filter's bytes away. */
  put(filter: StoredFilter, address: string): Promise<PutResult> {
    return this.#ask('put', [filter, address], [filter.bytes.buffer]);
  }

  look(id: string): Promise<FilterDescription | undefined> {
    return this.#ask('look', [id]);
  }

  hold(id: string): Promise<boolean> {
    return this.#ask('hold', [id]);
  }

  bytesOf(id: string): Promise<Uint8Array> {
    return this.#ask('bytesOf', [id]);
  }

  release(id: string): Promise<void> {
    return this.#ask('release', [id]);
  }

  #ask<Call extends keyof Filters>(
    call: Call,
    parameters: Parameters<Filters[Call]>,
    transfer: ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<Filters[Call]>>> {
    return new Promise((resolve) => {
      this.#asked.push(resolve as (answer: unknown) => void);
      this.#port.postMessage({ call, with: parameters } as Question, transfer);
    });
  }
}
