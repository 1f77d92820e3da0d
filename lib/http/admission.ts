// Who may subscribe: counts every subscriber at its address, and words the refusals when there are too many. The counts
// are lib/fanout's and hold for all threads; the answers are sent by the routes.

import type { IncomingMessage } from 'node:http';
import type { AddressTable } from '../fanout/address-table.ts';
import type { ClientAddresses } from './client-address.ts';
import type { Failure } from './refusal.ts';

/** Told of addresses that have reached their limit: the last one, and how many refusals there were since the last call. */
export type OnAddressFull = (address: string, refusals: number) => void;

/** Shortest time from one call of `OnAddressFull` to the next. */
const reportMs = 60_000;
/** When to come back: subscribers leave all the time, those of one address when its own connections end. */
const retryAfterSeconds = { ofServer: 5, ofAddress: 30 };

/** The server stops and takes no subscribers. */
export const stopping: Failure = {
  reason: 'stopping',
  status: 503,
  retryAfterSeconds: retryAfterSeconds.ofServer,
  message: 'Service Unavailable: the server is stopping',
};

/** There is no memory for it. */
export const memoryShort: Failure = {
  reason: 'memory_short',
  status: 503,
  retryAfterSeconds: retryAfterSeconds.ofServer,
  message: 'Service Unavailable: this server is short of memory',
};

/** See the file comment. */
export class Admission {
  readonly #table: AddressTable;
  readonly #addresses: ClientAddresses;
  readonly #onAddressFull: OnAddressFull;
  #unreported = 0;
  #reportedAtMs = -reportMs;

  constructor(table: AddressTable, addresses: ClientAddresses, onAddressFull: OnAddressFull) {
    this.#table = table;
    this.#addresses = addresses;
    this.#onAddressFull = onAddressFull;
  }

  /** The address that has been let in, which has to leave again, or why it was not. */
  enter(request: IncomingMessage): string | Failure {
    const address = this.#addresses.of(request);
    const entry = this.#table.enter(address);
    if (entry === 'entered') return address;
    const { subscribersMax, subscribersPerAddressMax } = this.#table.limits;
    if (entry === 'too_many') {
      return {
        reason: 'too_many_subscribers',
        status: 503,
        retryAfterSeconds: retryAfterSeconds.ofServer,
        message: `Service Unavailable: all ${subscribersMax} places for subscribers are taken`,
      };
    }
    this.#report(address);
    return {
      reason: 'too_many_of_address',
      status: 429,
      retryAfterSeconds: retryAfterSeconds.ofAddress,
      message: `Too Many Requests: ${address} has all ${subscribersPerAddressMax} connections that one address may have. If that is not your address, this server is behind a proxy that it does not know: its operator has to name it (--trusted-proxies).`,
    };
  }

  leave(address: string): void {
    this.#table.leave(address);
  }

  #report(address: string): void {
    this.#unreported++;
    const nowMs = performance.now();
    if (nowMs - this.#reportedAtMs < reportMs) return;
    this.#onAddressFull(address, this.#unreported);
    this.#unreported = 0;
    this.#reportedAtMs = nowMs;
  }
}
