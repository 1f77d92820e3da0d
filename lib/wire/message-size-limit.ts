// The v1 wire's `maxMessageSizeBytes`: what its spellings mean. Never an error; anything that is no limit is 0.

import { isInt64 } from '../event/cursor.ts';

/** From here on a value is no limit: no message is that long, and the v1 server keeps 32 bits. */
const limitBytesEnd = 2 ** 32;

/**
 * The limit in bytes that `text` spells, 0 for none: empty, malformed, negative, beyond 64 bits, or at least 2^32.
 * The limit is compared with the JSON of an event, whatever the encoding it is sent in.
 */
export function messageSizeLimit(text: string): number {
  if (!isInt64(text)) return 0;
  const value = Number(text);
  return value > 0 && value < limitBytesEnd ? value : 0;
}
