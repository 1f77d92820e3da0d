// What a stream without `onNotice` says all the same, on the console: that nothing comes because there is no connection, and that
// its cursor is not saved. Once for each outage; a program that wants silence gives an `onNotice` that does nothing.

import { printable } from '../../lib/text.ts';
import type { StreamNotice } from './notice.ts';
import { outageText } from './outage.ts';
import type { Platform } from './platform.ts';

/** Characters of what is said: the words of a server are in it. */
const warningCharsMax = 500;
/** Outages that are shorter are everyday. */
const quietMs = 10_000;

/** An `onNotice` that warns. */
export function warnings(
  url: string,
  platform: Pick<Platform, 'nowMs' | 'warn'>,
): (notice: StreamNotice) => void {
  let sinceMs = platform.nowMs();
  let connected = false;
  let outageTold = false;
  let saveTold = false;
  return (notice) => {
    if (notice.kind === 'connected') {
      connected = true;
      outageTold = false;
    } else if (notice.kind === 'disconnected') {
      if (connected) sinceMs = platform.nowMs();
      connected = false;
      // Told before the wait that makes it so long.
      if (outageTold || platform.nowMs() + notice.retryMs - sinceMs < quietMs) return;
      outageTold = true;
      const outage = printable(outageText(url, notice), warningCharsMax);
      platform.warn(`slipstream-client: still trying to connect: ${outage}`);
    } else if (notice.kind === 'save_failed' && !saveTold) {
      saveTold = true;
      platform.warn(`slipstream-client: the cursor is not saved: ${notice.error}; trying again every second`);
    }
  };
}
