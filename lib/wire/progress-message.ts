// The message that tells a subscriber how far it has come, for those who ask for it: a text frame on every connection,
// compressed ones too. Pure; when one is sent is the pull loop's decision, on what is subscribe-session.ts's.

import { ByteWriter } from '../decode/byte-writer.ts';
import { closeMessage, openMessage, textMessage } from '../event/message-frame.ts';
import type { Progress } from '../fanout/transport.ts';

/** A whole frame; the caller owns it. `cursor` is the value to come back with, so that nothing is missed or repeated. */
export function progressFrame({ positionUs, tipUs, live }: Progress): Buffer {
  const out = new ByteWriter(256);
  const start = openMessage(out);
  const progress = { cursor: positionUs + 1, lag_us: tipUs - positionUs, live };
  out.ascii(JSON.stringify({ kind: 'progress', time_us: positionUs, progress }));
  closeMessage(out, start, textMessage);
  return out.buffer.subarray(0, out.length);
}
