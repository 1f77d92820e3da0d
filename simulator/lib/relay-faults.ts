// What a relay can be told to do wrong, as settings that hold until they are changed or have happened, and how the command
// line writes them. Momentary faults (drop now, send this, jump) are methods of the relay server, which reads these settings.

import { UsageError } from '../../lib/errors.ts';

/** Settings of misbehaviour; a well-behaved relay has {@link noFaults}. */
export interface RelayFaults {
  /** Cuts each connection after that many frames; 0 never does. */
  readonly dropAfterFrames: number;
  /** Starts that many frames before the cursor asks for, so that readers see them again. */
  readonly rewindFrames: number;
  /** Sends nothing, keeps connections open and answers pings. */
  readonly quiet: boolean;
  /** Answers handshakes with this HTTP status; 1 closes the socket without an answer; 0 accepts. */
  readonly refuseStatus: number;
  /** Milliseconds before a handshake is answered. */
  readonly acceptDelayMs: number;
  /** Starts that many frames after what the cursor asks for, without a word. */
  readonly skipFrames: number;
  /** Answers every cursor by going live, without a word. */
  readonly ignoreCursor: boolean;
  /** The next so many handshakes with a cursor are answered with `FutureCursor`. Counts down. */
  readonly futureCursors: number;
  /** Once, after what is published next: a frame with a sequence so far ahead, in no history. Then 0. */
  readonly oddSequence: number;
  /** Once, from what is published next on: sequences that much lower, and no word. Then 0. Not for recordings. */
  readonly fallBack: number;
  /** The same at the next handshake with a cursor, which is answered by going live. Then 0. Not for recordings. */
  readonly fallBackOnReconnect: number;
}

/** A relay that does everything right. */
export const noFaults: RelayFaults = {
  dropAfterFrames: 0,
  rewindFrames: 0,
  quiet: false,
  refuseStatus: 0,
  acceptDelayMs: 0,
  skipFrames: 0,
  ignoreCursor: false,
  futureCursors: 0,
  oddSequence: 0,
  fallBack: 0,
  fallBackOnReconnect: 0,
};

/** Settings that are on or off. */
const switches = ['quiet', 'ignoreCursor'];

/**
 * Reads `name=number,name=number` (of what is on or off, 0 or 1; a number left out is 1).
 * @throws CodedError `SIMULATOR_FAULT_INVALID`: an unknown name or something that is no whole number.
 */
export function parseFaults(text: string): Partial<RelayFaults> {
  const faults: Record<string, number | boolean> = {};
  for (const part of text.split(',')) {
    const [name, value = '1'] = part.trim().split('=');
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!Object.hasOwn(noFaults, name) || Number.isNaN(number)) {
      const known = Object.keys(noFaults).join(', ');
      throw new UsageError(
        'SIMULATOR_FAULT_INVALID',
        `fault "${part}": write name=number; names are ${known}`,
      );
    }
    faults[name] = switches.includes(name) ? number > 0 : number;
  }
  return faults;
}
