// The message that tells a subscriber how far it has come, for those who ask for it: a text frame on every WebSocket,
// compressed ones too, and text elsewhere. Pure; when one is sent is the pull loop's decision, on what the sessions'.

import { ByteWriter } from '../byte-writer.ts';
import { closeMessage, openMessage, textMessage } from '../event/websocket-frame.ts';
import type { Progress } from '../fanout/transport.ts';

/** The message. `cursor` is the value to come back with, so that nothing is missed or repeated. */
export function progressText({ positionUs, tipUs, live }: Progress): string {
  const progress = { cursor: positionUs + 1, lag_us: tipUs - positionUs, live };
  return JSON.stringify({ kind: 'progress', time_us: positionUs, progress });
}

/** The same as a whole frame; the caller owns it. */
export function progressMessage(report: Progress): Buffer {
  const out = new ByteWriter(256);
  const start = openMessage(out);
  out.ascii(progressText(report));
  closeMessage(out, start, textMessage);
  return out.buffer.subarray(0, out.length);
}
