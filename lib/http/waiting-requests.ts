// Requests to subscribe, in turns: while more come than this thread gets done, they wait, and what they are made of is in its heap.
// It owns their turns and the bound on what waits, shared by address; what is done with a request is its route's.

import type { IncomingMessage } from 'node:http';
import { HeldBytes, type HeldLimits } from '../session/held-bytes.ts';
import { Slices } from '../session/slices.ts';
import type { ClientAddresses } from './client-address.ts';

/** What node:http makes of a request, beside the text of its head: 1.3 KB with a head of 230 bytes were measured. */
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

  /** Does `work` when it is the request's turn; not at all when its client is gone by then. */
  take(request: IncomingMessage, work: () => void): void {
    const address = this.#addresses.of(request);
    if (this.#turns.isResting) this.#wait(request, address, work);
    else this.#turns.take(address, work);
  }

  #wait(request: IncomingMessage, address: string, work: () => void): void {
    const { socket } = request;
    if (socket.destroyed) return;
    let toDo: (() => void) | undefined = work;
    const holding = this.held.open(address, () => socket.destroy());
    // Whose turn is far away holds on to nothing from then on.
    const forget = (): void => {
      toDo = undefined;
      holding.close();
    };
    socket.once('close', forget);
    this.#turns.take(address, () => {
      socket.off('close', forget);
      holding.close();
      toDo?.();
    });
    holding.set('request', requestBytes + headBytesOf(request));
  }
}

function headBytesOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, url.length);
}
