// The phases of a subscriber. What it does in each, and when it goes from one to another, is subscriber.ts's.

/** What a subscriber is doing; exactly one at any time. */
export const phases = {
  /** At the published position with a free socket: the next published block is pushed to it. */
  live: 0,
  /** Behind, waiting for its turn in the catch-up queue. */
  queued: 1,
  /** Its socket is full. */
  full: 2,
  /** Waits for the log to read. */
  reading: 3,
  /** Its address has had its share: waits for the delivery rate. */
  paced: 4,
  /** Its position is ahead of the published one. */
  future: 5,
  ended: 6,
} as const;
export type Phase = (typeof phases)[keyof typeof phases];
