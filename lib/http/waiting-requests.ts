// Requests to subscribe, in turns: while more come than this thread gets done, they wait, and what they are made of is in its heap.
// It owns their turns and the bound on what waits, shared by address; what is done with a request is its route's.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { HeldBytes, type HeldLimits, type Holding } from '../session/held-bytes.ts';
import { Slices } from '../session/slices.ts';
import type { ClientAddresses } from './client-address.ts';
import { headBytesOf } from './request-head.ts';

/** What node:http makes of a request, beside its head: 1.3 KB with a head of 230 bytes were measured. */
const requestBytes = 2 * 1024;
/** Of the heap that there may be, what all that wait may take, and of that one address. */
const heapShare = 1 / 8;
const addressShare = 1 / 4;

/** The bounds of a thread with so much heap. */
export function waitingLimitsOf(heapBytes: number): HeldLimits {
  const bytesMax = heapBytes * heapShare;
  const addressBytesMax = bytesMax * addressShare;
  return { connectionBytesMax: addressBytesMax, addressBytesMax, bytesMax };
}

/** See the file comment. */
export class WaitingRequests {
  /** What waits. Those that had to go are among its counts. */
  readonly held: HeldBytes;
  readonly #addresses: ClientAddresses;
  /** Apart from what is long, so that these do not wait for it. */
  readonly #turns = new Slices();

  constructor(addresses: ClientAddresses, limits: HeldLimits) {
    this.#addresses = addresses;
    this.held = new HeldBytes(limits);
  }

  /** More come than there is time for. */
  get isCrowded(): boolean {
    return this.#turns.isCrowded;
  }

  /**
   * Does `work` when it is the request's turn; not at all when its client is gone by then.
   * @param behindBytes of what came behind the request, which `work` has.
   */
  take(request: IncomingMessage, work: () => void, behindBytes = 0): void {
    const address = this.#addresses.of(request);
    if (!this.#turns.isResting) {
      this.#turns.take(address, work);
    } else if (!request.socket.destroyed) {
      const waiting = new Waiting(request.socket, work);
      const holding = this.held.open(address, waiting.letGo);
      waiting.begin(holding, requestBytes + headBytesOf(request) + behindBytes);
      this.#turns.take(address, waiting.comes);
    }
  }
}

/** One that waits. Its turn may be far away: whose client is gone, or had to go, holds on to nothing but itself until then. */
class Waiting {
  #socket: Socket | undefined;
  #work: (() => void) | undefined;
  #holding: Holding | undefined;

  constructor(socket: Socket, work: () => void) {
    this.#socket = socket;
    this.#work = work;
    socket.once('close', this.#forget);
  }

  begin(holding: Holding, bytes: number): void {
    this.#holding = holding;
    holding.set('request', bytes);
  }

  readonly comes = (): void => {
    const work = this.#work;
    this.#forget();
    work?.();
  };

  /** There is no room. At once: a socket says that it is closed only when all that has come by now is parsed. */
  readonly letGo = (): void => {
    const socket = this.#socket;
    this.#forget();
    socket?.destroy();
  };

  readonly #forget = (): void => {
    this.#holding?.close();
    this.#socket?.off('close', this.#forget);
    this.#socket = undefined;
    this.#work = undefined;
  };
}
