// What can happen to the numbering of a relay, as words. When it does is relay-position.ts's and relay-positions.ts's to say.

/**
 * What can happen to a relay's numbering, as a closed list: metric labels, and log lines.
 * - `relay_gap`: the relay goes on far above the last frame: what was between has not come
 * - `odd_sequence`: numbers far above or below, after which the relay went on as before
 * - `new_numbering`: the relay goes on at lower numbers, and is followed
 * - `started_over`: the relay keeps saying that it does not know our sequence, and is followed from where it is
 * - `frame_skipped`: a frame that ended every connection is stepped over
 * - `relay_changed`: another relay than before is followed
 * - `set_back`: the operator had the relay begin where the log has its frames already, and they are taken again
 */
export const relayOutcomes = [
  'relay_gap',
  'odd_sequence',
  'new_numbering',
  'started_over',
  'frame_skipped',
  'relay_changed',
  'set_back',
] as const;

/** One of them, with the last confirmed sequence, and the first of what was new. */
export interface RelayOutcome {
  readonly name: (typeof relayOutcomes)[number];
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** Whether something may be missing, or have come twice. */
  readonly isHole: boolean;
}
