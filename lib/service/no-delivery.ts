// In the place of what serves subscribers, on a machine that serves none.

import { noCounts } from '../worker/delivery-counts.ts';
import type { Delivery } from '../worker/subscriber-server.ts';

/** See the file comment. */
export const noDelivery: Omit<Delivery, 'listen'> = {
  publish: () => undefined,
  report: () => {},
  counts: async () => noCounts,
  stop: async () => true,
};
